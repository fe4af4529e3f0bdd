# Part of 11_scaling: what it costs, and a scaling law of one's own. Its imports, for the top:
#
# import math, re, time
# import matplotlib.pyplot as plt
# import numpy as np
# import torch
# from torch.nn import functional as F
# from tqdm.auto import tqdm
# from minigpt import GPT, GPTConfig, Stories, from_pretrained, load_data, train, viz
# from minigpt.evaluation.paper import TABLE
# from minigpt.interpret.recall import repeated_words
# from minigpt.stories import retell
# from minigpt.training import costs, model_loss
# from minigpt.training.scaling_law import best_size, fit_power_law, leave_one_out, resample_law
# from minigpt.viz.figures import plot_power_law

# %% [markdown]
# ## What it costs
#
# Before a large run you work out what it takes. How long GPT-2 was trained, its paper does not say.
# nanoGPT, which repeats the smallest size, reads 300 billion tokens (`config/train_gpt2.py`).

# %% [markdown]
# Your account of lesson 05, and three times as much for training:


# %%
def flops_per_token(config, T):
    V, L, C = config.vocab_size, config.n_layer, config.n_embd
    return 2 * (L * 12 * C**2 + V * C) + 4 * L * T * C


def training_flops(config, T):  # of one token: there, and twice as much on the way back
    return 3 * flops_per_token(config, T)


# %%
gpt2 = GPTConfig.preset("gpt2")
needed = 300e9 * training_flops(gpt2, T=1024)
assert needed == costs.training_flops(gpt2, tokens=300e9)
print(f"{needed:.3g} FLOPs")

# %% [markdown]
# What can your machine do? Take the model at full size, 256 random tokens, the loss and the way
# back. (Without the optimizer's step: AdamW's averages would need another gigabyte.)

# %% [markdown]
# **Predict:** for 300 billion tokens, does this machine need days, years or centuries?


# %%
def measured_flops(config, T=256, steps=3):  # a second, while training
    torch.manual_seed(0)
    model, x = GPT(config), torch.randint(config.vocab_size, (1, T))
    times = []
    for _ in range(steps):
        started = time.perf_counter()
        model_loss(model, x, x).backward()
        times.append(time.perf_counter() - started)
    return T * training_flops(config, T) / min(times)


# %% tags=["nbval-ignore-output"]
here = measured_flops(gpt2)
speed = here / training_flops(gpt2, T=1024)  # tokens a second
print(f"{here / 1e9:.0f} GFLOPs a second, {speed:.0f} tokens a second")
print("300 billion tokens:", costs.time_in_words(300e9 / speed / 3600))

# %% [markdown]
# One **H100**, a GPU for such work, does up to 989 · 10¹² FLOPs a second in bf16, by NVIDIA's data
# sheet. (It prints twice that, "with sparsity".) No training reaches it.

# %% [markdown]
# The part that a run does reach is its **model FLOPs utilisation**, MFU (Chowdhery et al. 2022,
# section 4.1):
#
# $$\text{MFU} = \frac{\text{tokens per second} \cdot \text{FLOPs per token}}
# {\text{peak FLOPs per second}}$$

# %% [markdown]
# Two runs of 124M parameters are public, both on eight A100 (312 · 10¹² each):
#
# - [nanoGPT](https://github.com/karpathy/nanoGPT): 600,000 steps of 491,520 tokens, "about 4 days".
# - [llm.c](https://github.com/karpathy/llm.c/blob/master/scripts/run_gpt2_124M.sh): 18,865 steps of
#   524,288 tokens, about 300 ms each.

# %% [markdown]
# **Predict:** which part of the peak did they use: a hundredth, about half, nearly all?

# %%
runs = {"nanoGPT": (600_000 * 491_520, 4 * 24)}  # tokens, hours
runs["llm.c"] = 18_865 * 524_288, 18_865 * 0.3 / 3600
rows = []
for tokens, hours in runs.values():
    mfu = costs.utilisation(gpt2, tokens / (3600 * hours), peak_flops=8 * 312e12)
    rows.append([f"{tokens / 1e9:.0f} billion", costs.time_in_words(hours), f"{mfu:.0%}"])
viz.table(rows, ["tokens", "time", "MFU"], rows=list(runs))

# %% [markdown]
# Between a quarter and two thirds. And llm.c read 30 times fewer tokens. Its script counts about 20
# dollars, at 14 an hour.

# %% [markdown]
# Now your own estimate. What is in capitals is an assumption of November 2026: type your own.
# Energy is power times time, times the **PUE** (power usage effectiveness): what the whole building
# draws, cooling included, for each watt of its machines.

# %%
PEAK, MFU = 989e12, 0.4  # an H100 in bf16; which part of it a good run uses
WATTS, PUE = 1000, 1.2  # 700 W is the card's limit; the rest, its share of the computer
PRICE = 3.00  # dollars for a card and an hour
LAPTOP_WATTS = 40
card = costs.training_speed(gpt2, PEAK, MFU)
print(f"an H100: {card:,.0f} tokens a second")

# %% [markdown]
# **Predict:** eight cards instead of one: the same money, an eighth of it, or eight times as much?

# %% tags=["nbval-ignore-output"]
machines = {
    "this machine": (speed, LAPTOP_WATTS, 0.0, 1.0),
    "an H100": (card, WATTS, PRICE, PUE),
    "eight H100": (8 * card, 8 * WATTS, 8 * PRICE, PUE),
}
rows = []
for rate, watts, price, pue in machines.values():
    how = dict(watts=watts, price_per_hour=price, overhead=pue)
    cost = costs.training_cost(gpt2, 300e9, rate, **how)
    rows.append([costs.time_in_words(cost.hours), cost.money, cost.kilowatt_hours])
assert rows[1][1:] == rows[2][1:] and rows[0][2] > rows[1][2]
rows = [[time_taken, *(f"{figure:,.0f}" for figure in others)] for time_taken, *others in rows]
viz.table(rows, ["time", "dollars", "kWh"], rows=list(machines))

# %% [markdown]
# The same money and energy, in an eighth of the time, *if* eight lose nothing by waiting for each
# other. And the slow machine is not the thrifty one: look at its kWh.

# %% [markdown]
# ## A scaling law of your own
#
# Such a sum is spent once. So one wants to know *before* how low the loss will come: train small,
# and go on with a line.

# %% [markdown]
# For the loss L after a compute of C FLOPs, suppose
#
# $$L(C) = L_\infty + a \, C^{-b}$$
#
# That is a **power law**: ten times the compute divides what is above $L_\infty$ by the same factor
# each time. Both axes logarithmic, it is a straight line.

# %% [markdown]
# Such a rule for the loss is called a **scaling law** (Kaplan et al. 2020, section 1.2). $L_\infty$
# is the **irreducible loss**: no model can get below it. On real text nobody knows it. On the
# stories you do.

# %% [markdown]
# It is the floor, their entropy. We can even know it for the very stories that we measure on: from
# each one's $-\ln p$.

# %%
data = load_data("stories")
x, y = data.batch("val", 128, 256, torch.Generator().manual_seed(5))  # held out
held_out = [data.tokenizer.decode(row[row >= 0][:-1].tolist()) for row in y]  # but for the mark
targets = (y >= 0).sum().item()
floor = -sum(Stories.log_prob(story) for story in held_out) / targets
print(f"floor {floor:.4f} nats per token; of all held-out stories {data.floor:.4f}")

# %% [markdown]
# Twelve runs: four widths, two layers each, at three budgets of compute. A small model reads many
# stories for the same FLOPs, a large one few.


# %%
def shape(width):
    return GPTConfig(vocab_size=1024, block_size=128, n_layer=2, n_head=2, n_embd=width)


def steps_for(width, budget):  # of eight stories
    return round(budget / (8 * 128 * training_flops(shape(width), T=128)))


# %%
WIDTHS, BUDGETS = (8, 16, 32, 64), (20e9, 40e9, 80e9)
rows = [[str(steps_for(width, budget)) for budget in BUDGETS] for width in WIDTHS]
viz.table(rows, [f"{b / 1e9:.0f} GFLOPs" for b in BUDGETS], rows=[f"width {w}" for w in WIDTHS])

# %% [markdown]
# The table holds steps, of eight stories each. The longest run draws 7,536 times from 20,000
# stories: too seldom the same one to learn it by heart.

# %% [markdown]
# What do we measure? The surprise at each held-out token, and how far its mean is above the floor.


# %%
@torch.no_grad()
def surprises(model):  # (256, 128); where no target is, 0
    return F.cross_entropy(model(x).transpose(1, 2), y, reduction="none")


def above(nats):
    return nats.sum().item() / targets - floor


# %%
results = {}  # what was run once is kept


def run(width, budget, seed=0, max_lr=0.05):
    key = width, budget, seed, max_lr
    if key not in results:
        torch.manual_seed(seed)
        model, steps = GPT(shape(width)), steps_for(width, budget)
        how = dict(optimizer="muon", max_lr=max_lr, min_lr=0.0, warmup_steps=steps // 10)
        how |= dict(max_steps=steps, batch_size=8, precision="fp32", device="cpu", seed=seed)
        train(model, data, **how, eval_interval=steps, eval_batches=1, progress=False)
        results[key] = surprises(model)
    return results[key]


# %% [markdown]
# Is one learning rate fair to all? Each width at half of 0.05, at 0.05 and at twice as much, at the
# middle budget. **Predict:** which width cares most?

# %% tags=["nbval-ignore-output"]
rates = 0.025, 0.05, 0.1
tries = [(width, BUDGETS[1], 0, rate) for width in WIDTHS for rate in rates]
found = [above(run(*each)) for each in tqdm(tries, leave=False)]
tried = np.array(found).reshape(len(WIDTHS), len(rates))
assert (tried[:, 1] < 1.3 * tried.min(axis=1)).all()
viz.table(tried.tolist(), [f"rate {r:g}" for r in rates], rows=[f"width {w}" for w in WIDTHS])

# %% [markdown]
# At every width 0.05 is the best or near it. Muon's steps are scaled so that a number in a large
# matrix moves about as far as one in a small matrix. So one rate serves all.

# %% [markdown]
# Now all twelve runs, each from two seeds, in one or two minutes.

# %% tags=["nbval-ignore-output"]
grid = [(width, budget, seed) for seed in (0, 1) for budget in BUDGETS for width in WIDTHS]
left = {each: above(run(*each)) for each in tqdm(grid, leave=False)}
assert all(0 < value < math.log(1024) for value in left.values())
means = {b: [(left[w, b, 0] + left[w, b, 1]) / 2 for w in WIDTHS] for b in BUDGETS}
print(f"above the floor: from {max(left.values()):.2f} to {min(left.values()):.2f}")

# %% [markdown]
# **Predict:** for equal compute, is the smallest model the best, the largest, or one between? And
# with more compute, does the best become larger?

# %% tags=["nbval-ignore-output"]
for budget, style in zip(BUDGETS, ["o-", "s--", "^:"]):
    line = plt.plot(WIDTHS, means[budget], style, label=f"{budget / 1e9:.0f} GFLOPs")
    seeds = [[left[width, budget, seed] for width in WIDTHS] for seed in (0, 1)]
    plt.vlines(WIDTHS, *seeds, color=line[0].get_color())
plt.gca().set(xscale="log", yscale="log", xlabel="width", ylabel="loss above the floor (nats)")
plt.minorticks_off()
plt.xticks(WIDTHS, map(str, WIDTHS))
plt.yticks([0.3, 0.5, 1, 2], ["0.3", "0.5", "1", "2"])
plt.legend()
plt.show()

# %% tags=["nbval-ignore-output"]
best = [best_size(WIDTHS, means[budget]) for budget in BUDGETS]
assert 8 < best[0] < best[-1] < 64
print("best width, by a parabola:", *(f"{width:.0f}" for width in best))

# %% [markdown]
# One between. On the left they are too small, on the right they have read too little. Such a curve
# is an **IsoFLOP profile**, and its lowest point the **compute-optimal** size (Hoffmann et al.
# 2022, section 3.2). It grows with the budget.

# %% [markdown]
# By how much, was a dispute. Kaplan et al. (2020) put most of a larger budget into a larger model.
# Hoffmann et al. (2022, table 2) found that model and data should grow alike. Three budgets on a
# laptop decide nothing there.

# %% [markdown]
# ## A prediction
#
# Take the best width of each budget, both seeds: six points. With the floor known, the law is a
# straight line through $\ln(L - L_\infty)$ against $\ln C$: two numbers, by least squares.

# %% [markdown]
# **Predict:** with 160 GFLOPs, will as much be left as with 80, about two thirds of it, or half?

# %% tags=["nbval-ignore-output"]
winners = [(WIDTHS[int(np.argmin(means[budget]))], budget) for budget in BUDGETS]
points = [(width, budget, seed) for width, budget in winners for seed in (0, 1)]
compute = [budget for _, budget, _ in points]
law = resample_law(compute, [floor + left[each] for each in points], floor)
low, high = law.interval(160e9)
print(f"exponent b = {law.law.exponent:.2f}")
print(f"predicted: {law(160e9) - floor:.3f} ({low - floor:.3f} to {high - floor:.3f})")

# %% [markdown]
# The interval should hold a new run in 95 of 100 cases, *if* a power law is the truth: a thousand
# times, runs were drawn anew around the line, and fitted again.

# %% [markdown]
# The prediction stands. Now the run, at two widths and from two seeds.

# %% tags=["nbval-ignore-output"]
new = [(width, 160e9, seed) for width in (16, 32) for seed in (0, 1)]
left |= {each: above(run(*each)) for each in tqdm(new, leave=False)}
assert all(left[each] > law(160e9) - floor for each in new)
rows = []
for width, budget, seed in new:
    value = left[width, budget, seed]
    where = "inside" if low <= floor + value <= high else "outside"
    rows.append([f"width {width}, seed {seed}", f"{value:.3f}", where])
viz.table(rows, ["run", "above the floor", "the interval"])


# %% tags=["nbval-ignore-output"]
def show(law, losses):  # losses above the floor, of points and new
    names = [f"width {width}" for width, _, _ in points + new]
    amounts = compute + [160e9] * len(new)
    how = dict(floor=floor, above_floor=True, fitted=(BUDGETS[0], BUDGETS[-1]), names=names)
    losses = [floor + loss for loss in losses]
    plot_power_law(amounts, losses, law, band=law.interval, xlabel="compute (FLOPs)", **how)
    plt.show()


show(law, [left[each] for each in points + new])

# %% [markdown]
# All four (hollow) lie above the line: the prediction was too good. Yet six points lay on a line as
# straight as one could wish. What did it not know?

# %% [markdown]
# ## Two kinds of words
#
# Lesson 06 told dice from recall. What a story says for the first time, nobody can know; the best
# is to know the choices.

# %% [markdown]
# What it says *again*, pronouns too, is certain for whoever looks back: no part of the floor is
# there. So the loss above the floor falls into two.


# %%
def said_again(story, ids):  # of each token: does it belong to a word that was fixed before?
    *_, (telling, _) = retell(story)
    spans = [(at, at + len(telling.chosen[slot])) for slot, at in repeated_words(story)]
    spans += [match.span() for match in re.finditer(r"\b(he|she|him|her|his)\b", story)]
    ends = np.cumsum([len(data.tokenizer.decode([i])) for i in ids])
    return torch.tensor([any(start < end <= stop for start, stop in spans) for end in ends])


# %%
mask = torch.zeros_like(y, dtype=torch.bool)
for row, story in enumerate(held_out):
    ids = y[row][y[row] >= 0][:-1].tolist()
    mask[row, : len(ids)] = said_again(story, ids)
print(f"{mask.sum() / targets:.0%} of the tokens; in the first story:")
print(data.tokenizer.decode(y[0][mask[0]].tolist()))

# %% [markdown]
# A model that never looks back pays for them; lesson 06 reckoned 0.27 nats per token. **Predict**
# for both kinds of words: with eight times the compute, does their part of the loss fall, or rest?

# %% tags=["nbval-ignore-output"]
again = {each: run(*each)[mask].sum().item() / targets for each in points + new}
rows = []
for width, budget in [*winners, (16, 160e9), (32, 160e9)]:
    twice = [(width, budget, seed) for seed in (0, 1)]
    parts = [[left[each] - again[each], again[each]] for each in twice]
    rows.append([f"{budget / 1e9:.0f}", str(width), *(f"{p:.3f}" for p in np.mean(parts, axis=0))])
assert min(again.values()) > 0.2
viz.table(rows, ["GFLOPs", "width", "said first", "said again"])

# %% [markdown]
# What is said first falls and falls. What is said again comes to rest, near the forgetful 0.27:
# these models hardly look back. One part that falls and one that rests make no power law, however
# straight six points lie.

# %% [markdown]
# So take only what is said first. Its floor is known just as well. Again the law is fitted to the
# three small budgets. **Predict:** do the new runs fall into this interval?

# %% tags=["nbval-ignore-output"]
first = {each: left[each] - again[each] for each in points + new}
first_law = resample_law(compute, [floor + first[each] for each in points], floor)
low, high = first_law.interval(160e9)
print(f"exponent b = {first_law.law.exponent:.2f}")
print(f"predicted: {first_law(160e9) - floor:.4f} ({low - floor:.4f} to {high - floor:.4f})")
print("measured:", *(f"{first[each]:.4f}" for each in new))
show(first_law, [first[each] for each in points + new])

# %% [markdown]
# Here the points are scattered about the line, and so the interval is wide: one doubling beyond the
# last point it leaves a factor of several. Six runs do not know more. To fall inside *that* is no
# great praise for a law.

# %% [markdown]
# ## The floor that nobody tells
#
# With real text you would have the losses alone. Then $L_\infty$ is a third number to fit, as
# Hoffmann et al. do (2022, section 3.3).

# %% [markdown]
# Take the loss of all words, and all ten runs. **Predict:** is the fitted floor too low, about
# right, or too high?

# %% tags=["nbval-ignore-output"]
amounts = compute + [160e9] * len(new)
losses = [floor + left[each] for each in points + new]
free = resample_law(amounts, losses)
ends = np.quantile(free.others[:, 0], [0.025, 0.975])
off = max(abs(free(c) / loss - 1) for c, loss in zip(amounts, losses))
assert free.law.floor > floor + 0.1
print(f"floor fitted {free.law.floor:.2f} ({ends[0]:.2f} to {ends[1]:.2f}), true {floor:.2f}")
print(f"no run lies further from the fit than {off:.1%}")

# %% [markdown]
# A good fit, and it calls irreducible what is not. The storyteller that ships with the course had
# the same stories and the same optimizer. It is larger, and was trained much longer. **Predict:**
# is it below that floor?

# %% tags=["nbval-ignore-output"]
teller, _ = from_pretrained("storyteller")
spent = 1000 * 32 * 128 * training_flops(teller.config, T=128)  # scripts/make_storyteller.py
nats = surprises(teller)
recall, loss = nats[mask].sum().item() / targets, floor + above(nats)
assert loss < free.law.floor - 0.05
rows = [[f"{above(nats) - recall:.4f}", f"{recall:.4f}", f"{loss:.3f}"]]
rows[0] += [f"{law(spent):.3f}", f"{free(spent):.3f}"]
print(f"{spent / 1e9:,.0f} GFLOPs")
viz.table(rows, ["said first", "said again", "loss", "floor known", "floor fitted"])

# %% [markdown]
# It is far below, because it recalls. Somewhere in between lies the fall that you watched in lesson
# 06. The small runs hold no trace of it. A line says what becomes of what is being learned now; of
# a new ability it says nothing.

# %% [markdown]
# The last two columns are what the two lines say of so much compute. The one with the true floor
# comes near, though it failed at 160 GFLOPs: so far out, little but the floor is left of it.

# %% [markdown]
# ## GPT-2's own four points
#
# The paper has four sizes, and reports their perplexity per word on two texts, WikiText-103 and
# WikiText-2 (Radford et al. 2019, table 3). As losses they are $\ln$ of it.

# %% [markdown]
# Four points, three numbers to fit. **Predict:** leave one point out, and fit again. Does the floor
# move by hundredths, tenths, or whole nats?

# %%
SIZES = 124_439_808, 354_823_168, 774_030_080, 1_557_611_200
texts = {}
for text in ("wikitext-103", "wikitext-2"):
    texts[text] = [math.log(p) for p in TABLE[text]["perplexity per word"]]
fits = {text: [fit_power_law(SIZES, n), *leave_one_out(SIZES, n)] for text, n in texts.items()}

# %%
names, rows = ["all four", *(f"without {size}" for size in ("124M", "355M", "774M", "1.6B"))], []
for text, laws in fits.items():
    for name, fit in zip(names, laws):
        perplexities = math.exp(fit.floor), math.exp(fit(10 * SIZES[-1]))
        rows.append([text, name, fit.floor, f"{fit.exponent:.3f}", *perplexities])
viz.table(rows, ["text", "fitted to", "floor", "b", "as perplexity", "at 15.6 billion"])

# %% [markdown]
# On WikiText-103 the floor is 0, or 2.6, as you leave out this point or that. A floor of 0 would be
# a model that is always certain of the next word, and right. **Predict:** where do the curves part?

# %%
_, sides = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
reach = np.geomspace(SIZES[0], 100 * SIZES[-1])
for ax, (text, nats) in zip(sides, texts.items()):
    for fit in fits[text][1:]:
        ax.plot(reach, [fit(size) for size in reach], color="#999999", linewidth=1)
    plot_power_law(SIZES, nats, fits[text][0], until=reach[-1], xlabel="parameters", ax=ax)
    ax.set_title(text)
plt.show()

# %% [markdown]
# Grey are the fits to three of the points. Among the four sizes all agree; beyond, they part.

# %% [markdown]
# WikiText-2 looks tamer, with floors near 2.7. But both names mean the same test text (lesson 10),
# measured in two ways. One text, and two "irreducible" losses.

# %% [markdown]
# The published laws were fitted to many more runs. Kaplan et al. find $b = 0.076$ for parameters,
# embeddings left out, without a floor (2020, equation 1.1). Hoffmann et al. fit a floor of 1.69
# nats per token of their own text (2022, appendix D.3).

# %% [markdown]
# Besiroglu et al. (2024) read those runs off the figures and fitted again. They found other
# numbers, and the published intervals far too narrow.

# %% [markdown]
# How far may such a line be trusted, then?
#
# - Among its points, well. Beyond, with an interval, and as long as nothing new is learned.
# - A straight line is no proof. Six points of a sum that is no power law made one.
# - A fitted floor belongs to the fit, not to the language.

# %% [markdown]
# **Your turn.** Three seeds instead of two: how much narrower is the interval? Fit to 40 and 80
# GFLOPs alone. Give the runs three layers: does what is left at 80 GFLOPs change?
