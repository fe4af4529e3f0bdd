# %% [markdown]
# # 09 · Heads
#
# **Afterwards you can** watch a head learn what it does, and prove it by intervention: take heads
# out, give them another pattern, patch one run into another, follow a logit back to what wrote it.
# You can say what each of these shows, and what it does not.
#
# **Takes** about 110 minutes. **Needs** attention and heads (lesson 03), the residual stream (04),
# and a little training (06).

# %% [markdown]
# A pattern shows where a head looks. It does not show that anything depends on it. To know what a
# part is good for, change it and see what becomes of the answer. That is what **mechanistic
# interpretability** does, and this lesson.

# %%
import math
from contextlib import ExitStack
from itertools import islice

import matplotlib.pyplot as plt
import torch
from IPython.display import display
from torch.nn import functional as F

from minigpt import Stories, from_pretrained, interpret, viz
from minigpt.evaluation.intervals import paired_bootstrap
from minigpt.interpret import ablated, direct_attribution, logit_lens, patched, without
from minigpt.interpret.induction import birth_scores, probes
from minigpt.interpret.recall import recalled, recalls
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
# The way takes two steps. A head of the first layer lets each token know its **previous token**. A
# head of the second, which stands at token *a*, looks for "the one that comes after *a*". That is
# an **induction head** (Olsson et al. 2022).
#
# **Predict:** which of the two is learned first? And can one layer do it?

# %% [markdown]
# To score heads we need texts where only this helps: 32 random tokens, said twice. 1 is a head that
# does nothing else, 0 one that looks anywhere alike. The previous token we ask for in the first
# saying: that is where the second finds its notes.


# %%
def scores_of(model):
    previous, induction = birth_scores(model, probes(model))  # (layers, heads) each
    return previous.max().item(), induction.max().item()


model = interpret.induction_model(seed=1)
print(tuple(probes(model).shape), [abs(round(score, 1)) for score in scores_of(model)])
assert max(map(abs, scores_of(model))) < 0.1  # nothing is learned yet

# %% [markdown]
# ## A head is born
#
# Two layers of four heads, width 64, batches of 32, AdamW. Watch the loss (above) and the best
# score of each kind (below), in half a minute.


# %%
def draw(axes, looks):
    steps = [look.step for look in looks]
    for ax in axes:
        ax.clear()
    axes[0].plot(steps, [look.loss for look in looks])
    axes[0].set(ylabel="loss (nats)", ylim=(0, 4.3))
    axes[1].plot(steps, [look.previous.max() for look in looks], "--", label="previous token")
    axes[1].plot(steps, [look.induction.max() for look in looks], label="induction")
    axes[1].set(xlabel="step", ylabel="best score", ylim=(-0.05, 1))
    axes[1].legend(loc="upper left")


# %% tags=["nbval-ignore-output"]
figure, axes = plt.subplots(2, 1, sharex=True, figsize=(6, 4.5))
model = interpret.induction_model(seed=1)
shown, looks = display(figure, display_id=True), []
for look in interpret.watch_birth(model, steps=420, every=10, seed=1):
    looks.append(look)
    if look.step % 30 == 0:
        draw(axes, looks)
        shown.update(figure)
plt.close(figure)

# %% [markdown]
# For two hundred steps the loss hardly falls. Then it falls off a cliff: a **phase change**. Both
# scores rise with it. Which was first? We ask when each passed a low bar.


# %%
def first_past(looks, bar=0.05):
    def step(scores):
        return next((look.step for look in looks if scores(look).max() > bar), math.inf)

    return step(lambda look: look.previous), step(lambda look: look.induction)


def told(looks):
    return [looks[-1].loss, looks[-1].previous.max().item(), looks[-1].induction.max().item()]


assert looks[-1].loss < 1 and told(looks)[1] > 0.5 and told(looks)[2] > 0.5
previous_at, induction_at = first_past(looks)
assert previous_at <= induction_at < 260
print("previous token is first:", previous_at < induction_at)

# %% [markdown]
# The previous token is first, by a little; afterwards they grow together. One run shows an order,
# and no cause. So first more runs, then an experiment.

# %% [markdown]
# ## Other starts
#
# One run is one story. Two more seeds, a single layer, and a model whose positions begin as waves
# (sines and cosines) in place of random numbers.
# **Predict** for each: a cliff or none within 420 steps?

# %% tags=["nbval-ignore-output"]
runs = {
    "two layers, seed 1": looks,
    "two layers, seed 0": (0, 2, 0.0),
    "two layers, seed 2": (2, 2, 0.0),
    "one layer, seed 1": (1, 1, 0.0),
    "waves, seed 3": (3, 2, 0.1),
}
for name, given in list(runs.items())[1:]:
    seed, layers, waves = given
    other = interpret.induction_model(seed, layers, waves)
    runs[name] = list(interpret.watch_birth(other, 420, 10, seed))
    print(name, "done")
rows = [[*told(run), *map(str, first_past(run))] for run in runs.values()]
columns = ["loss", "previous", "induction", "previous > .05 at", "induction > .05 at"]
viz.table(rows, columns, rows=list(runs))

# %%
end = {name: told(run) for name, run in runs.items()}
assert all(end[f"two layers, seed {seed}"][0] < 1.6 for seed in (0, 1, 2))
assert end["one layer, seed 1"][0] > 2.8
crossed = [first_past(runs[f"two layers, seed {seed}"]) for seed in (0, 1, 2)]
assert all(before <= after + 20 for before, after in crossed)
assert end["waves, seed 3"][0] < 2.6 and end["waves, seed 3"][2] < 0.2

# %% [markdown]
# Three seeds have their cliff, each at its own step, and in none is induction first. Seed 2 gets
# there with lower scores. One layer has no cliff, in as many steps.

# %% [markdown]
# With waves the loss falls as well, and no head earns a name. So a falling loss is no proof of an
# induction head, and two low scores are no proof that nothing was learned: they only ask for what
# we thought of.

# %% [markdown]
# ## Two heads, one machine
#
# Is it true that the one reads what the other notes? Here are the scores of all heads of our model.

# %%
previous, induction = birth_scores(model, probes(model))
names = [f"{layer}.{head}" for layer in (0, 1) for head in range(4)]
both = torch.stack([previous.flatten(), induction.flatten()], dim=1)
viz.table(both.clamp(min=0).round(decimals=1), ["previous", "induction"], rows=names)

# %% tags=["nbval-ignore-output"]
noting = [(0, head) for head in range(4) if previous[0, head] > 0.3]
x, y = interpret.repeated_batch(64, 64, 64, torch.Generator().manual_seed(99))


@torch.no_grad()
def judge():  # induction score, and loss on texts it has not seen
    loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten()).item()
    return [birth_scores(model, probes(model))[1][1].max().item(), loss]


rows = [judge()]
with ablated(model, noting):
    rows.append(judge())
viz.table(rows, ["induction", "loss"], rows=["whole", "no previous-token heads"])

# %% [markdown]
# `ablated` takes heads out: what they hand on is set to 0, which is called **zero ablation**. We
# touched the first layer only, and the second no longer finds its place.

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
    for layer, head in noting:
        stack.enter_context(interpret.with_pattern(model, layer, head, pattern))
    return stack


with with_patterns(looking_back(1)):
    rows.append(judge())
viz.table(rows, ["induction", "loss"], rows=["whole", "taken out", "look back by one"])

# %%
assert rows[0][0] > 0.5 and rows[1][0] < 0.2 < 0.4 < rows[2][0]
assert rows[1][1] > 2 * rows[2][1]

# %% [markdown]
# It does: the score, and most of the loss. A pattern without any content of its own is enough.
#
# Now let them look back by **two**. Each token then carries the name of the last but one.
# **Predict:** the induction heads looked at the token after the same one before, 31 back. Where do
# they look now: 30 back, 31, or 32?


# %% tags=["nbval-ignore-output"]
def looks_by_distance():
    patterns = interpret.attention_patterns(model, probes(model))[1].mean(dim=(0, 1))  # (64, 64)
    return [patterns.diagonal(-far)[64 - far - 31 :].mean().item() for far in (30, 31, 32)]


rows = [looks_by_distance()]
with with_patterns(looking_back(2)):
    rows.append(looks_by_distance())
    astray = judge()[1]
print(f"loss {astray:.1f}; knowing nothing: {math.log(64):.2f}")
viz.table(rows, ["30 back", "31 back", "32 back"], rows=["as learned", "notes by two"])

# %%
assert max(range(3), key=rows[0].__getitem__) == 1 and rows[0][1] > 0.3
assert max(range(3), key=rows[1].__getitem__) == 0 and rows[1][0] > 5 * rows[1][1]
assert astray > math.log(64)

# %% [markdown]
# 30 back: two after the same token. They follow the note, wherever it leads. That is
# **composition**: a head of one layer uses what a head of another has written. The text is copied
# from the wrong place now, and the loss is above that of knowing nothing.

# %% [markdown]
# ## The storyteller's heads
#
# Nobody trained it on copies. But its stories say things again: a colour, a name, a place. Each is
# a question with one right answer, and we can find them all.

# %%
teller, tokenizer = from_pretrained("storyteller", verbose=False)
teller.requires_grad_(False)
stories = list(islice(Stories(seed=100), 120))
read = [recalls(story, tokenizer) for story in stories]  # ids, and what is said again
kinds = ["name", "thing", "colour", "place", "junk"]
whole = recalled(teller, read)
times = [sum(r.kind == kind for _, found in read for r in found) for kind in kinds]
rows = [[n, f"{100 * whole[kind].nanmean():.0f} %"] for n, kind in zip(times, kinds)]
viz.table(rows, ["times", "right"], rows=kinds)

# %% [markdown]
# Hardly one is missed. **Which head does it?** First we look: how much of its attention does each
# head give to the earlier answer, at the moment when it is asked for?

# %%
looks, times = dict.fromkeys(kinds, 0), dict.fromkeys(kinds, 0)
for ids, found in read[:60]:
    patterns = interpret.attention_patterns(teller, ids[None])[:, 0]  # (4, 4, T, T)
    for kind, at, answer in found:
        if kind in kinds:
            seen = patterns[:, :, at, : at + 1]
            looks[kind] = looks[kind] + seen[..., ids[: at + 1] == answer].sum(dim=-1)
            times[kind] += 1
share = torch.stack([(looks[kind] / times[kind]).flatten() for kind in kinds], dim=1)  # (16, 5)
heads = [(layer, head) for layer in range(4) for head in range(4)]
names = [f"{layer}.{head}" for layer, head in heads]
keep = [row for row in range(16) if share[row].max() > 0.3]
viz.table((100 * share[keep]).round(), [f"{kind} (%)" for kind in kinds], [names[k] for k in keep])

# %% [markdown]
# Five heads stand out. Head 1.0 gives the colour all it has, 0.2 the thing, 0.0 the name. For the
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
# Three heads carry the name, the thing and the colour, and most of the others can go, one at a
# time, without a single miss.

# %%
mine = grid[:, :3][[heads.index(head) for head in ((0, 0), (0, 2), (1, 0))]]  # name, thing, colour
assert (mine.diagonal() < 0.5).all()
idle = [name for name, row in zip(names, grid) if (row > 0.99).all()]
print(len(idle), "of 16 heads: no more than one answer in a hundred is missed")
assert len(idle) >= 8

# %% [markdown]
# Chance has a part: other stories would give other numbers. A story is asked several times, so not
# answers but stories are drawn anew, and the same ones with the head and without: a **paired
# bootstrap**. With 95 % confidence, a head costs this many points:


# %%
def cost(kind, without_it):
    pairs = torch.stack([whole[kind], without_it[kind]], dim=1)
    told = pairs[~pairs.isnan().any(dim=1)].T.tolist()  # stories where it is asked
    return [100 * value for value in paired_bootstrap(*told)]


asked = {
    "0.0": "name",
    "0.2": "thing",
    "1.0": "colour",
    "3.0": "junk",
    "2.1": "junk",
    "3.2": "place",
}
rows = {f"{k} without {name}": cost(k, out[heads[names.index(name)]]) for name, k in asked.items()}
viz.table(list(rows.values()), ["points lost", "from", "to"], rows=list(rows))

# %%
lost = list(rows.values())
assert all(low > 10 for _, low, _ in lost[:4])
assert all(high < 2 for _, _, high in lost[4:])

# %% [markdown]
# The last two rows are the point. Head 2.1 looks at the junk with most of its attention, head 3.2
# at the place, and without either nothing is missed. **Attention is not explanation**: a clean
# pattern says what a head reads, not that anyone needs it.

# %% [markdown]
# ## Nothing, or the usual?
#
# 0 is not "no information". The next layers may never have met it. In **mean ablation** a part
# hands on what it hands on in the middle, over many stories: the same everywhere, so it tells
# nothing.

# %%
means = interpret.measure_means(teller, [ids for ids, _ in read])
rows = {}
for layer in range(4):
    for kind in ("attn", "mlp"):
        name = f"{kind} {layer}"
        taken = [misses(without(teller, [name], mean)) for mean in (None, means)]
        rows[name] = [round(100 * t[k].nanmean().item()) for k in ("colour", "junk") for t in taken]
columns = ["colour, zero", "colour, mean", "junk, zero", "junk, mean"]
viz.table(list(rows.values()), columns, rows=list(rows))

# %% [markdown]
# Whole sublayers now, right answers in percent. **Find the row** where the two ways disagree most.

# %%
zero, mean = rows["attn 1"][2:]
assert zero < 50 and mean > 90
print(f"without attn 1 the junk is right in {zero:.0f} % with zeros, in {mean:.0f} % with means")

# %% [markdown]
# By zero, layer 1's attention is indispensable for the junk. By mean it has nothing to do with it.
# What was needed was not what it read, but that its usual vector be there. Report which ablation
# you used.

# %% [markdown]
# ## Where the colour lives
#
# An ablation takes away. **Activation patching** puts in: two stories that differ in one colour,
# and a single vector of the one run put into the other. If the answer changes sides, the colour was
# there.

# %%
story = (
    "<|endoftext|>Long ago there was a clumsy penguin named Clara, who lived on a boat. "
    "The neighbours all envied her {} kite. Next door lived Ella, a polite mouse who "
    "invented soups. One stormy Tuesday a seagull stole the kite. All that Ella found was "
    'old maps. "What colour is it?" asked Ella. "It is'
)
viz.PatchMap(teller, tokenizer, story.format("black"), story.format("green"))

# %% [markdown]
# Each cell is a run of the *green* story with one vector of the *black* one: row the layer, column
# the token. 0 % still says green, 100 % black. Click on some cells; choose attention and MLPs, too.
# **Which cells** make it say black?


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

# %%
assert (moved[:2, at] > 0.8).all() and moved[2, -1] > 0.8
rest = [t for t in range(black.size(1)) if t not in (at, black.size(1) - 1)]
print(f"any other place moves it by {moved[:, rest].abs().max():.0%} at most")
assert moved[:, rest].abs().max() < 0.5

# %% [markdown]
# Up to block 0 the colour stands where it was told. After block 1 it stands at the end, where it is
# asked for. In between is one sublayer that can carry something from token to token: attention 1.
# That is head 1.0 at work, found a third time, now without looking at any pattern.

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
# The stream is a sum, and the model's head is linear. So the logit of *black* less that of *green*
# is a sum too, one term for each part: **direct logit attribution** (Elhage et al. 2021). Only the
# final LayerNorm's divisor depends on all parts together; we hold it fixed. **Predict:** which part
# adds most?

# %%
terms = direct_attribution(teller, black, torch.tensor([a]), against=torch.tensor([b]))
assert abs(terms.total.item() - goal.item()) < 1e-3
largest = sorted(terms.rows().items(), key=lambda row: -abs(row[1].item()))[:8]
figure, ax = plt.subplots(figsize=(5, 3))
ax.barh([name for name, _ in largest][::-1], [term.item() for _, term in largest][::-1])
ax.set(xlabel="added to logit(black) - logit(green)")
plt.show()

# %% [markdown]
# The last MLPs write most of it, and head 1.0 only a little. So who is responsible? Take them out,
# over all stories.

# %%
last = misses(without(teller, ["mlp 3"], means))
rows = {"head 1.0": cost("colour", out[1, 0]), "mlp 3 (mean)": cost("colour", last)}
viz.table(list(rows.values()), ["points lost", "from", "to"], rows=list(rows))

# %%
assert rows["head 1.0"][1] > 30 and rows["mlp 3 (mean)"][2] < 5

# %% [markdown]
# The part that writes most is not missed at all. Without head 1.0, which writes little, most
# colours are wrong. *Direct* means: what a part adds to the answer itself. What it hands to the
# parts after it does not count, and that is where head 1.0 does its work.

# %% [markdown]
# ## Reading half-way
#
# The **logit lens** reads the stream after each block as if no block were left: final LayerNorm,
# then the model's head. **Predict:** after which block does the model know the colour?


# %%
def right_through_the_lens():
    right = {kind: [] for kind in kinds}
    for ids, found in read:
        found = [recall for recall in found if recall.kind in kinds]
        at = [recall.position for recall in found]
        logits = logit_lens(teller, interpret.residual_stream(teller, ids[None])[:, 0, at])
        for recall, best in zip(found, logits.argmax(dim=-1).T):  # (5,) each
            right[recall.kind].append(best == recall.answer)
    return {kind: torch.stack(rows).float().mean(dim=0) for kind, rows in right.items()}


right = right_through_the_lens()
viz.table((100 * torch.stack([right[k] for k in kinds], 1)).round(), kinds, rows=layers)

# %% [markdown]
# (Percent of right answers.) The thing, whose head is 0.2, is there after block 0, and the colour,
# whose head is 1.0, after block 1. But the name's head is in layer 0 too, and the name is not there
# before block 1: a head can have done its part long before the head of the model can read it.

# %%
assert right["thing"][1] > 0.8 > 0.5 > right["name"][1] and right["colour"][2] > 0.8

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
viz.table(both, ["with LayerNorm (nats)", "without"], rows=layers)

# %%
with torch.no_grad():
    own = [interpret.token_surprisal(teller(ids[None])[0], ids) for ids, _ in read[:60]]
assert abs(torch.cat(own).mean() - both[-1, 0]) < 1e-3
assert (both[1:, 1] > both[1:, 0] + 0.1).all()
print(f"the model's own loss: {torch.cat(own).mean():.2f}")

# %% [markdown]
# Without it the last row is not the model's own: it shows a model that does not exist. The table of
# right answers would hardly have told you.

# %% [markdown]
# ## GPT-2, when it is at hand
#
# The same scores for the 144 heads of the small GPT-2. Others report induction heads at 5.0, 5.1,
# 5.5, 6.9, 7.2, 7.10 and, later, 9.6, 9.9, 10.1, 10.7 (Wang et al. 2022 find such heads in their
# circuit for indirect objects).

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
    a, b = divmod(int(found["previous token"].argmax()), 12)
    print(f"best previous-token head: {a}.{b}, {found['previous token'].max():.2f}")

# %% [markdown]
# ## All at once
#
# The explorer has these tools: take heads out by zero or by mean, score them over many texts,
# compare two texts. Find head 1.0, take it out, and read what the model says in place of the
# colour.

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
# - Induction takes two heads in two layers; taken apart, shifted and put back, they behave as told.
# - A pattern shows what is read, an ablation what is missed, a patch where it stands, attribution
#   who writes it down. They need not agree, and here they do not.
# - Zero and mean ablation ask different questions.
# - Every number came from at least 120 stories or three seeds, or was said to be one case.

# %% [markdown]
# ## Your turn
#
# The exercises are in `exercises/09_heads.ipynb`: texts that repeat themselves, scores, ablations
# folded into weights, intervals, patches, attribution, the lens, and a measurement with three bugs.
#
# Without them: the place is read by head 3.2, and nothing is missed without it. Which other head
# has to go with it, before places are missed?
