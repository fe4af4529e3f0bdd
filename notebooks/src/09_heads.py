# %% [markdown]
# # 09 · Heads
#
# **Afterwards you can** watch a head learn what it does, and prove it by intervention: take heads
# out, give them another pattern, patch one run into another, follow a logit back to what wrote it.
# You can say what each of these shows, and what it does not.
#
# **Takes** about 120 minutes. **Needs** attention and heads (lesson 03), the residual stream (04),
# a little training (06), and hooks (08).

# %% [markdown]
# A pattern shows where a head looks. It does not show that anything depends on it. To know what a
# part is good for, change it and see what becomes of the answer. That is what **mechanistic
# interpretability** does, and this lesson.

# %%
import math
from contextlib import ExitStack
from itertools import islice
from textwrap import fill

import matplotlib.pyplot as plt
import torch
from IPython.display import display
from torch.nn import functional as F

from minigpt import Stories, from_pretrained, interpret, viz
from minigpt.evaluation.intervals import paired_bootstrap
from minigpt.interpret import ablated, direct_attribution, logit_lens, patched, without
from minigpt.interpret.induction import birth_scores, probes
from minigpt.interpret.recall import answer_weights, recalled, recalled_half_way, recalls
from minigpt.pretrained import find_file

viz.use_style()

# %% [markdown]
# ## A text that repeats itself
#
# A random piece is said again and again. In its first saying nobody can guess the next token. From
# the second on there is a way: look up what came after the same token before.

# %%
dice = torch.Generator().manual_seed(0)
x, y = interpret.repeated_batch(vocab_size=64, length=12, batch_size=3, generator=dice, longest=6)
known = [[str(i) if i >= 0 else "·" for i in row] for row in y.tolist()]
viz.table([[" ".join(map(str, row)), " ".join(k)] for row, k in zip(x.tolist(), known)], ["x", "y"])

# %% [markdown]
# A dot is no target: the loss leaves it out. A model that knows nothing pays
# $\ln 64 = 4.16$ nats for each of the others, one that looks back well pays almost nothing.

# %% [markdown]
# One way takes two heads. A **previous-token** head of the first layer writes into each token's
# stream which token stood before it. A head of the second, at token *a*, looks for a token with
# "*a* before me" in its stream. That is an **induction head** (Olsson et al. 2022).

# %% [markdown]
# To score them we need texts where nothing else helps: 32 random tokens, said twice.
#
# $$\text{score} = \frac{\text{weight on the target} - \text{chance}}{1 - \text{chance}}$$
#
# Chance is the target's share of the tokens in sight. 1 is a head that looks nowhere else, 0 one
# that looks anywhere alike; below 0 it looks away.

# %% [markdown]
# The previous token we ask for in the first saying: there the second finds what it needs.


# %%
def best_scores(model):
    previous, induction = birth_scores(model, probes(model))  # (layers, heads) each
    return [previous.max().item(), induction.max().item()]


model = interpret.induction_model(seed=1)
assert max(map(abs, best_scores(model))) < 0.1  # nothing is learned yet
print(tuple(probes(model).shape))

# %% [markdown]
# ## A head is born
#
# Two layers of four heads, width 64, batches of 32, AdamW. Watch the loss (above) and the best
# score of each kind (below), in half a minute.


# %%
def draw(axes, births):
    steps = [birth.step for birth in births]
    for ax in axes:
        ax.clear()
    axes[0].plot(steps, [birth.loss for birth in births])
    axes[0].set(ylabel="loss (nats)", ylim=(0, 4.3))
    axes[1].plot(steps, [birth.previous.max() for birth in births], "--", label="previous token")
    axes[1].plot(steps, [birth.induction.max() for birth in births], label="induction")
    axes[1].set(xlabel="step", ylabel="best score", ylim=(-0.05, 1))
    axes[1].legend(loc="upper left")


# %% tags=["nbval-ignore-output"]
figure, axes = plt.subplots(2, 1, sharex=True, figsize=(6, 4.5))
model = interpret.induction_model(seed=1)
shown, births = display(figure, display_id=True), []
for birth in interpret.watch_birth(model, steps=420, every=10, seed=1):
    births.append(birth)
    if birth.step % 30 == 0:
        draw(axes, births)
        shown.update(figure)
plt.close(figure)
assert births[-1].loss < 1 and min(best_scores(model)) > 0.5

# %% [markdown]
# For two hundred steps the loss falls slowly, then fast. Such a turn, at which an ability appears,
# is called a **phase change**. Both scores rise with it.

# %% [markdown]
# **Predict:** which score is the first to pass a bar of .05? And a bar of .2?


# %% tags=["nbval-ignore-output"]
def first_past(births, bar):
    def step(kind):
        return next((str(b.step) for b in births if getattr(b, kind).max() > bar), "never")

    return [step("previous"), step("induction")]


viz.table(
    [first_past(births, bar) for bar in (0.05, 0.2)], ["previous", "induction"], [".05", ".2"]
)

# %% [markdown]
# It depends on the bar: at .05 the previous token is ahead, at .2 induction is. So the curves do
# not say which is first, and which *needs* which no curve can say. An experiment can.

# %% [markdown]
# ## Other starts
#
# One run is one story. Two more seeds; a single layer; and a model whose position table begins as
# waves (sines and cosines), larger than the random numbers of the others. This trains four models,
# in a minute or two.

# %% [markdown]
# **Predict** for each: does its loss fall below 2 in 420 steps?

# %% tags=["nbval-ignore-output"]
starts = {
    "seed 0": (0, 2, 0.0),  # seed, layers, waves
    "seed 2": (2, 2, 0.0),
    "one layer": (1, 1, 0.0),
    "waves": (3, 2, 0.1),
}
runs, final = {"seed 1": births}, {"seed 1": [births[-1].loss, *best_scores(model)]}
for name, (seed, layers, waves) in starts.items():
    other = interpret.induction_model(seed, layers, waves)
    runs[name] = list(interpret.watch_birth(other, 420, 20, seed))
    final[name] = [runs[name][-1].loss, *best_scores(other)]

# %% tags=["nbval-ignore-output"]
for style, (name, run) in zip(["-", "--", "-.", ":", "-"], runs.items()):
    plt.plot([birth.step for birth in run], [birth.loss for birth in run], style, label=name)
plt.gca().set(xlabel="step", ylabel="loss (nats)")
plt.legend()
plt.show()

# %% [markdown]
# Here are the last values.

# %% tags=["nbval-ignore-output"]
assert all(final[f"seed {seed}"][0] < 2 for seed in (0, 1, 2)) and final["one layer"][0] > 2.8
assert final["waves"][0] < 2.8 and max(final["waves"][1:]) < 0.2
viz.table(list(final.values()), ["loss", "previous", "induction"], rows=list(final))

# %% [markdown]
# All three seeds have their turn, each at its own step; seed 2 with lower scores. One layer had
# none, with one seed and in 420 steps. It came below 4.16 without any induction: to know which
# tokens belong to the piece is worth something already.

# %% [markdown]
# With waves the loss falls as well, and no head earns a name. So a falling loss is no proof of an
# induction head. And two low scores are no proof that nothing was learned: they only ask for what
# we thought of.

# %% [markdown]
# ## Two kinds of heads, one machine
#
# Is it true that the one reads what the other notes? Here are the scores of all heads of our model.

# %%
previous, induction = birth_scores(model, probes(model))
names = [f"{layer}.{head}" for layer in (0, 1) for head in range(4)]
both = torch.stack([previous.flatten(), induction.flatten()], dim=1)
viz.table(both, ["previous", "induction"], rows=names)

# %% tags=["nbval-ignore-output"]
previous_heads = [(0, head) for head in range(4) if previous[0, head] > 0.3]
x, y = interpret.repeated_batch(64, 64, 64, torch.Generator().manual_seed(99))


@torch.no_grad()
def judge():  # induction score, and loss on texts it has not seen
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
    return [birth_scores(model, probes(model))[1][1].max().item(), loss]


rows = [judge()]
with ablated(model, previous_heads):
    rows.append(judge())
viz.table(rows, ["induction", "loss"], rows=["whole", "no previous-token heads"])

# %% [markdown]
# `ablated` takes heads out with a hook: before `c_proj` mixes the heads, it puts 0 in place of what
# they gathered. That is **zero ablation**. We touched the first layer only, and the second no
# longer finds its place.

# %% [markdown]
# Are they needed for just *this*? Put them back with a pattern made by hand: each token looks at
# the one before, and nothing else. **Predict:** does the score come back?


# %% tags=["nbval-ignore-output"]
def looking_back(distance):  # (64, 64): row t looks at t - distance
    pattern = torch.eye(64).roll(distance, dims=0).tril()
    pattern[:distance, 0] = 1
    return pattern


def with_patterns(pattern):
    stack = ExitStack()
    for layer, head in previous_heads:
        stack.enter_context(interpret.with_pattern(model, layer, head, pattern))
    return stack


for pattern in (looking_back(1), torch.ones(64, 64).tril() / torch.arange(1, 65)[:, None]):
    with with_patterns(pattern):
        rows.append(judge())
assert rows[0][0] > 0.5 and rows[1][0] < 0.2 < 0.4 < rows[2][0]
assert min(rows[1][1], rows[3][1]) > 2 * rows[2][1] and rows[3][0] < 0.2
names = ["whole", "taken out", "look back by one", "look anywhere alike"]
viz.table(rows, ["induction", "loss"], rows=names)

# %% [markdown]
# The fixed pattern, with the heads' own values, brings most of both back; one that looks anywhere
# alike does not. What these heads are needed for here is to look one back.

# %% [markdown]
# Now let them look back by two: each token then carries the last but one. So far the induction
# heads looked 31 back, at the token after the same one before. **Predict:** where do they look now:
# 30 back, 31, or 32?


# %% tags=["nbval-ignore-output"]
def looks_by_distance():  # of the second layer, in the second saying
    patterns = interpret.attention_patterns(model, probes(model))[1].mean(dim=(0, 1))  # (64, 64)
    return [patterns[33:].diagonal(33 - far).mean().item() for far in (30, 31, 32)]


rows = [looks_by_distance()]
with with_patterns(looking_back(2)):
    rows.append(looks_by_distance())
    astray = judge()[1]
assert rows[0][1] > 0.3 and rows[1][0] > 5 * rows[1][1] and astray > math.log(64)
viz.table(rows, ["30 back", "31 back", "32 back"], rows=["as learned", "by two"])

# %% [markdown]
# 30 back: two after the same token. They follow what was written, wherever it leads. That is
# **K-composition**: what one head wrote becomes a key of another (Elhage et al. 2021). Now the text
# is copied from the wrong place, and the loss is above 4.16: worse than knowing nothing.

# %% [markdown]
# ## The storyteller's heads
#
# Nobody trained it on copies. But its stories say things again: a name, a colour, the *thing* that
# was lost, the place where it was, and the *junk* that was found instead.

# %%
teller, tokenizer = from_pretrained("storyteller", verbose=False)
teller.requires_grad_(False)
stories = list(islice(Stories(seed=100), 120))
print(fill(next(story for story in stories if "All that" in story), 90))

# %% [markdown]
# Each second saying is a question with one right answer. We can find them all.

# %%
read = [recalls(story, tokenizer) for story in stories]  # ids, and what is said again
kinds = ["name", "thing", "colour", "place", "junk"]
whole = recalled(teller, read)
times = [sum(r.kind == kind for _, found in read for r in found) for kind in kinds]
rows = [[n, f"{100 * whole[kind].nanmean():.0f} %"] for n, kind in zip(times, kinds)]
viz.table(rows, ["times", "right"], rows=kinds)

# %% [markdown]
# (Right is who finds the answer's first token likeliest.) None is missed, or hardly one. **Which
# head does it?** First we look: how much of its attention does each head give to the earlier
# answer, at the moment when it is asked for?

# %%
heads = [(layer, head) for layer in range(4) for head in range(4)]
names = [f"{layer}.{head}" for layer, head in heads]
weights = answer_weights(teller, read)
share = torch.stack([weights[kind].flatten() for kind in kinds], dim=1)  # (16, 5)
keep = [row for row in range(16) if share[row].max() > 0.3]
columns = [f"{kind} (%)" for kind in kinds]
viz.table((100 * share[keep]).round(), columns, rows=[names[row] for row in keep])

# %% [markdown]
# Six heads stand out. Head 1.0 gives the colour all it has, 0.2 the thing, 0.0 the name. For the
# junk there are two, 2.1 and 3.0; for the place there is 3.2.
#
# **Write down a hypothesis** before you go on: if I take out head ..., the model misses ....

# %% [markdown]
# Now the experiment: each of the 16 heads out, alone, on all 120 stories.


# %%
def misses(context):
    with context:
        return recalled(teller, read)


out = {head: misses(ablated(teller, [head])) for head in heads}
grid = torch.tensor([[out[head][kind].nanmean() for kind in kinds] for head in heads])
figure, ax = plt.subplots(figsize=(5, 4.5))
image = ax.imshow(100 * grid, cmap="cividis", vmin=0, vmax=100, aspect="auto")
ax.set_xticks(range(5), kinds)
ax.set_yticks(range(16), names)
ax.set(ylabel="head taken out", title="right answers (%)")
figure.colorbar(image)
plt.show()

# %% [markdown]
# Without 0.0 nearly every name is wrong, without 0.2 every thing, without 1.0 most colours. How
# many heads can go, one at a time, and hardly an answer is missed?

# %%
mine = grid[:, :3][[heads.index(head) for head in ((0, 0), (0, 2), (1, 0))]]  # name, thing, colour
idle = [name for name, row in zip(names, grid) if (row > 0.99).all()]
assert (mine.diagonal() < 0.5).all() and len(idle) >= 8
print(len(idle), "of 16 heads: no more than one answer in a hundred is missed")

# %% [markdown]
# Chance has a part: other stories would give other numbers. A **bootstrap** shows how far: draw as
# many stories with replacement, take the mean, many times; 95 % of the means lie in the interval.
# Stories are drawn, not answers, and the same ones with the head and without: it is **paired**.


# %%
def cost(kind, without_it):  # points lost, from, to, stories that ask
    pairs = torch.stack([whole[kind], without_it[kind]], dim=1)
    pairs = pairs[~pairs.isnan().any(dim=1)]
    return [*(100 * value for value in paired_bootstrap(*pairs.T.tolist())), len(pairs)]


# %%
LOST = ["points lost", "from", "to", "stories"]
asked = dict(zip(["0.0", "0.2", "1.0", "3.0", "2.1", "3.2"], [*kinds[:3], "junk", "junk", "place"]))
rows = {f"{k} without {name}": cost(k, out[heads[names.index(name)]]) for name, k in asked.items()}
lost = list(rows.values())
assert all(low > 10 for _, low, _, _ in lost[:4]) and all(high < 2 for _, _, high, _ in lost[4:])
viz.table([[f"{v:.0f}" for v in row] for row in lost], LOST, rows=list(rows))

# %% [markdown]
# Where nothing was missed, there is nothing to draw: an interval of width 0 is no certainty. No
# miss in n stories still fits a share of about 3 in n: 10 points for the junk, 6 for the place.

# %% [markdown]
# Head 2.1 looks at the junk with most of its attention, head 3.2 at the place, and without either
# hardly an answer is lost. **Attention is not explanation** (Jain & Wallace 2019): a pattern says
# what a head reads.

# %% [markdown]
# That nothing is lost has two readings: nobody uses it, or another part does the same, a
# **backup**. Heads taken out one at a time cannot tell these apart.

# %% [markdown]
# ## Nothing, or the usual?
#
# 0 is not "no information": the next layers may never have met it. In **mean ablation** a part
# hands on its mean over all tokens of other stories. That is the same everywhere, so it tells
# nothing about this one. (Others take a mean for each position, as an exercise does: say which.)

# %%
others = [recalls(story, tokenizer)[0] for story in islice(Stories(seed=101), 100)]
means = interpret.measure_means(teller, others)
rows = {}
for layer in range(4):
    for kind in ("attn", "mlp"):
        name = f"{kind} {layer}"
        taken = [misses(without(teller, [name], mean)) for mean in (None, means)]
        rows[name] = [round(100 * t[k].nanmean().item()) for k in ("colour", "junk") for t in taken]
columns = ["colour, zero", "colour, mean", "junk, zero", "junk, mean"]
zero, mean = rows["attn 1"][2:]
assert zero < 50 and mean > 90
viz.table(list(rows.values()), columns, rows=list(rows))

# %% [markdown]
# Whole sublayers now, right answers in percent. **Find the row** where the two ways disagree most.

# %% [markdown]
# It is `attn 1` for the junk. With zeros most of it is lost, with means hardly any: what was needed
# is not what it read, but that its usual vector be there. Report which ablation you used.

# %% [markdown]
# ## Where the colour lives
#
# An ablation takes away. **Activation patching** puts in (Meng et al. 2022): take two stories that
# differ in one colour, and put a single vector of the one run, the **clean** one, into the other,
# the **corrupt** one. If the answer changes sides, the colour was there.

# %% [markdown]
# Here *black* is clean and *green* corrupt. Each cell is a run of the green story with one vector
# of the black one: row 0 before block 0, row 1 after it, and so on; columns are tokens. 0 % still
# says green, 100 % black. **Predict:** where will the dark cells be? Then click on some, and choose
# attention and MLPs, too.

# %%
story = (
    "<|endoftext|>Long ago there was a clumsy penguin named Clara, who lived on a boat. "
    "The neighbours all envied her {} kite. Next door lived Ella, a polite mouse who "
    "invented soups. One stormy Tuesday a seagull stole the kite. All that Ella found was "
    'old maps. "What colour is it?" asked Ella. "It is'
)
viz.PatchMap(teller, tokenizer, story.format("black"), story.format("green"))

# %% [markdown]
# In numbers, the share restored: (patched - corrupt) / (clean - corrupt), measured by the logit of
# *black* less that of *green*.


# %%
def ids_of(text):
    return torch.tensor([tokenizer.encode(text, {"<|endoftext|>"})])


black, green = (ids_of(story.format(colour)) for colour in ("black", "green"))
a, b = (tokenizer.encode(f" {colour}")[0] for colour in ("black", "green"))
effects = interpret.patch_effects(teller, black, green, lambda row: row[:, a] - row[:, b])
with torch.no_grad():
    start, goal = (teller(idx)[0, -1, a] - teller(idx)[0, -1, b] for idx in (green, black))
moved = (effects - start) / (goal - start)
at = (black != green)[0].nonzero().item()
layers = ["embedding", *(f"after block {i}" for i in range(4))]
viz.table((100 * moved[:, [at, -1]]).round(), ["at the colour (%)", "at the end (%)"], rows=layers)

# %% [markdown]
# Up to block 0 the colour stands where it was told. After block 1 it stands at the end, where it is
# asked for. Which part of block 1 carried it there? Patch single sublayers at the last token.

# %%
assert (moved[:2, at] > 0.8).all() and moved[2, -1] > 0.8
rows = []
for part in ("attn", "mlp"):
    effects = interpret.patch_effects(teller, black, green, lambda row: row[:, a] - row[:, b], part)
    rows.append((100 * (effects[:, -1] - start) / (goal - start)).round().tolist())
assert max(range(4), key=rows[0].__getitem__) == 1
viz.table(rows, [f"layer {i} (%)" for i in range(4)], rows=["attention", "MLP"])

# %% [markdown]
# Attention 1, of all. That fits head 1.0, which the ablation found, though the patch does not tell
# the four heads apart; and it is one pair of stories.

# %% [markdown]
# Both ends can be checked: patch everything and you have the other run, patch nothing and you have
# this one.

# %%
other = interpret.activations(teller, black)
with torch.no_grad():
    with patched(teller, other, layer=2):
        assert torch.equal(teller(green), teller(black))
    with patched(teller, other, layer=2, positions=[]):
        nothing = teller(green)
    assert torch.equal(nothing, teller(green))

# %% [markdown]
# ## Who wrote the answer
#
# The stream is a sum, and the **unembedding** (`lm_head`) is linear. So the logit of *black* less
# that of *green* is a sum too, one term for each part: **direct logit attribution** (Elhage et al.
# 2021).

# %% [markdown]
# Only the final LayerNorm stands between. Its centring is done part by part; its divisor depends on
# all parts together, and is held as it was: **frozen**. **Predict:** which part adds most?

# %%
terms = direct_attribution(teller, black, torch.tensor([a]), against=torch.tensor([b]))
assert abs(terms.total.item() - goal.item()) < 1e-3
largest = sorted(terms.rows().items(), key=lambda row: -abs(row[1].item()))[:8]
figure, ax = plt.subplots(figsize=(5, 3))
ax.barh([name for name, _ in largest][::-1], [term.item() for _, term in largest][::-1])
ax.set(xlabel="added to logit(black) - logit(green)")
plt.show()
mine = terms.rows()["head 1.0"].item()
print(f"head 1.0: {mine:+.2f} of {terms.total.item():.2f}")

# %% [markdown]
# The last MLP writes most of it, and head 1.0 little. So who is responsible? Take both out, each by
# its mean, over all stories.

# %%
parts = {"head 1.0": ablated(teller, [(1, 0)], means), "mlp 3": without(teller, ["mlp 3"], means)}
rows = {name: cost("colour", misses(part)) for name, part in parts.items()}
assert rows["head 1.0"][1] > 30 and rows["mlp 3"][2] < 5
viz.table([[f"{v:.0f}" for v in row] for row in rows.values()], LOST, rows=list(rows))

# %% [markdown]
# Without the part that writes most no colour is missed; without head 1.0 most are. *Direct* means:
# what a part adds to the answer itself. What it hands to later parts does not count, and head 1.0
# hands on what they need.

# %% [markdown]
# Is `mlp 3` of no use, then? Right or wrong sees only who comes first. Look at the lead.

# %%
with torch.no_grad(), without(teller, ["mlp 3"], means):
    lead = teller(black)[0, -1, a] - teller(black)[0, -1, b]
assert 0 < lead < goal - 1
print(f"lead of black over green: {goal:.1f}, without mlp 3 {lead:.1f}")

# %% [markdown]
# The lead is what was lost. Report a measure that can fall before the answer does.

# %% [markdown]
# ## Reading half-way
#
# The **logit lens** (nostalgebraist 2020) reads the stream after each block as if no block were
# left: final LayerNorm, then unembedding. **Predict:** after which block is the name the likeliest
# token, after which the junk?

# %%
right = recalled_half_way(teller, read)
assert right["thing"][1] > 0.8 > 0.5 > right["name"][1] and right["colour"][2] > 0.8
viz.table((100 * torch.stack([right[k] for k in kinds], 1)).round(), kinds, rows=layers)

# %% [markdown]
# (Percent of right answers.) The thing, whose head is 0.2, can be read after block 0, the colour,
# whose head is 1.0, after block 1. The name's head is in layer 0 too, yet the name is seldom read
# before block 1: perhaps that must add to it (head 1.0 costs names as well), perhaps the lens
# cannot read it. What it cannot read may be there all the same.

# %% [markdown]
# And the place is read after block 2, before head 3.2 has run. No wonder that nothing is missed
# without it.

# %% [markdown]
# A common mistake is to leave the final LayerNorm out. **Predict:** what does that do to the last
# row, which should be the model's own loss: nothing, lower, higher? Over all tokens of 60 stories:


# %%
def loss_through_the_lens(norm):
    nats = []
    for ids, _ in read[:60]:
        logits = logit_lens(teller, interpret.residual_stream(teller, ids[None])[:, 0], norm)
        nats.append(interpret.token_surprisal(logits, ids.expand(5, -1)))  # (5, T - 1)
    return torch.cat(nats, dim=1).mean(dim=1)


both = torch.stack([loss_through_the_lens(True), loss_through_the_lens(False)], dim=1)
with torch.no_grad():
    own = torch.cat([interpret.token_surprisal(teller(i[None])[0], i) for i, _ in read[:60]]).mean()
assert abs(own - both[-1, 0]) < 1e-3 and (both[1:, 1] > both[1:, 0] + 0.1).all()
viz.table(both, ["with LayerNorm (nats)", "without"], rows=layers)

# %% [markdown]
# With it the last row is the model's own loss, as asserted. Without it every row after a block is
# higher, the last one too: it shows a model that does not exist. (The embedding alone is worse than
# guessing either way: the lens is sure there, and wrong.)

# %% [markdown]
# ## GPT-2, when it is at hand
#
# The same scores for the 144 heads of the small GPT-2. Public code reports high induction scores at
# 5.0, 5.1, 5.5, 6.9, 7.2 and 7.10, then at 9.6, 9.9, 10.1, 10.7. In the circuit of Wang et al.
# (2022) 5.5, 5.8, 5.9 and 6.9 are induction heads, and late ones have other jobs: one score sees
# many.

# %% tags=["nbval-ignore-output"]
reported = ["5.0", "5.1", "5.5", "6.9", "7.2", "7.10", "9.6", "9.9", "10.1", "10.7"]
try:
    gpt2, _ = from_pretrained(find_file("gpt2"), verbose=False)
except FileNotFoundError:
    gpt2 = None
    print("gpt2 is not on this machine: this part waits for `minigpt download gpt2`.")

# %% tags=["nbval-ignore-output"]
if gpt2:
    texts = torch.stack([interpret.repeated_tokens(50257, 50, dice) for _ in range(4)])
    found = interpret.mean_head_scores(gpt2, texts)
    best = found["induction"].flatten().topk(12)
    places = [(int(i) // 12, int(i) % 12) for i in best.indices]
    names = [f"{layer}.{head}" for layer, head in places]
    rows = [[s, "yes" if n in reported else ""] for n, s in zip(names, best.values.tolist())]
    display(viz.table(rows, ["induction", "reported"], rows=names))
    layer, head = divmod(int(found["previous token"].argmax()), 12)
    print(f"best previous-token head: {layer}.{head}, {found['previous token'].max():.2f}")

# %% [markdown]
# ## All at once
#
# The explorer has these tools: take heads out by zero or by mean, score them over many texts,
# compare two texts.

# %% [markdown]
# **Predict:** take head 1.0 out by zero, then by its mean. Does this story's answer change? (By
# zero it does not, by mean it does: one story can go against an average of many.)

# %%
viz.AttentionExplorer(
    teller,
    tokenizer,
    story.format("black"),
    layer=1,
    head=0,
    texts=stories[:20],
    compare=story.format("green"),
)

# %% [markdown]
# ## What you can say now
#
# - In our model previous-token heads and induction heads do it together: taken apart, shifted and
#   put back, they behave as told.
# - A pattern shows what is read, an ablation what is missed, a patch where it stands, attribution
#   who writes it down. They need not agree, and here they do not.
# - Zero and mean ablation ask different questions, and so do right answers and leads.
# - Most numbers are of 60 or 120 stories. The two-head machine is one seed, the patch and the
#   attribution are one pair of stories: repeat them before you believe them.

# %% [markdown]
# ## Your turn
#
# The exercises are in `exercises/09_heads.ipynb`: texts that repeat themselves, scores, ablations
# folded into weights, intervals, patches, attribution, the lens, and a measurement with three bugs.
#
# Without them: the place is read by head 3.2, and nothing is missed without it. Which other head
# has to go with it, before places are missed?
