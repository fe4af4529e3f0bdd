# %% [markdown]
# # 10 · Tasks
#
# **Afterwards you can** measure a language model so that the figure can be compared: perplexity,
# last words, choices; fine-tune it for a task, and know what that costs; and read the paper's
# table.
#
# **Takes** about 150 minutes, in three sittings: measuring and few-shot; fine-tuning to BLEU and
# ROUGE; other designs, bias, coherence. **Needs** the loss and its floor from lessons 02 and 06,
# heads that copy from lesson 09.

# %% [markdown]
# A model gives each next token a probability. People claim that it answers, sums up, translates,
# classifies. Here every claim meets a right answer that is known.

# %%
import math
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
import torch

from minigpt import Stories, evaluation, from_pretrained, generate, sampling, viz
from minigpt.stories import GRAMMAR

viz.use_style()
model, tokenizer = from_pretrained("storyteller", verbose=False)
told = [*islice(Stories(seed=30_000), 60)]  # the storyteller never saw them

# %% [markdown]
# ## Measuring
#
# Read one story and add up the surprise of its tokens, $-\log p$. That sum belongs to the *text*.
# What it is divided by is a choice.

# %%
end = tokenizer.end_of_text
ids = [end, *tokenizer.encode(told[0]), end]
log_p = model(torch.tensor([ids[:-1]]))[0].double().log_softmax(dim=-1)
nats = -sum(log_p[t, ids[t + 1]].item() for t in range(len(ids) - 1))
print(f"{nats:.2f} nats; the grammar itself: {-Stories.log_prob(told[0]):.2f}")

# %% [markdown]
# **Perplexity per token** is $e$ to the nats per token; per word, the same nats over the words.
# **Predict:** a story has fewer words than tokens. Which perplexity is larger?

# %%
found = evaluation.measure(model, tokenizer, told, closing=True)
rows = [
    ["token", found.tokens, found.nats / found.tokens, found.per_token],
    ["word", found.words, found.nats / found.words, found.per_word],
    ["byte", found.bytes, found.nats / found.bytes, found.per_byte],
]
assert found.per_word > found.per_token > found.per_byte
rows = [[name, f"{n:,}", f"{mean:.3f}", f"{ppl:.2f}"] for name, n, mean, ppl in rows]
viz.table(rows, ["per", "how many", "nats each", "perplexity"])

# %% [markdown]
# Per word: the same nats, shared among fewer. A perplexity without its unit says nothing. The
# fewest possible, on average, are known here, so put the **floor** beside it.

# %%
floor = -sum(map(Stories.log_prob, told)) / found.tokens
each = found.each[:, 0] / found.each[:, 1].mean()
low, high = evaluation.bootstrap(each)
assert floor < found.loss < 1.05 * floor
print(f"{found.loss:.4f} nats a token ({low:.3f} to {high:.3f}); at best {floor:.4f}")

# %% [markdown]
# The range is a **bootstrap** interval: stories drawn again and again from the 60, and the middle
# 95 % of the means. A story is the unit, not a token: tokens of one story are not independent.

# %% [markdown]
# ### Two tokenizers
#
# Count pairs of tokens (lesson 02), once with 300 tokens, once with 1,024. Same stories, same
# method. **Predict:** which has the lower perplexity per token?


# %%
from minigpt import Tokenizer


def bigram(tok, texts):  # counts, one added to each, as lesson 02
    counts = np.ones((tok.vocab_size, tok.vocab_size))
    for text in texts:
        ids = [tok.end_of_text, *tok.encode(text)]
        np.add.at(counts, (ids[:-1], ids[1:]), 1)
    return np.log(counts / counts.sum(axis=1, keepdims=True))


learned = [*islice(Stories(seed=1), 1500)]
small = Tokenizer.train(learned[:300], 300)

# %% [markdown]
# Each is judged on the 60 new stories: nats, tokens and bytes.

# %%
rows = []
for tok in (small, tokenizer):
    table, nats, count = bigram(tok, learned), 0.0, 0
    for text in told:
        ids = [tok.end_of_text, *tok.encode(text)]
        nats, count = nats - table[ids[:-1], ids[1:]].sum(), count + len(ids) - 1
    bits = nats / sum(len(t.encode()) for t in told) / math.log(2)
    rows.append([tok.vocab_size, count, math.exp(nats / count), bits])
assert rows[0][2] < rows[1][2] and rows[0][3] > 2 * rows[1][3]
viz.table(
    [[f"{v:,}", f"{n:,}", f"{p:.2f}", f"{b:.2f}"] for v, n, p, b in rows],
    ["vocabulary", "tokens", "perplexity per token", "bits per byte"],
)

# %% [markdown]
# Per token the small vocabulary looks better: its tokens are smaller, so each is easier. But one
# token back is now fewer letters: per byte of the same text it needs far more bits. **Bits per
# byte** compare tokenizers.

# %% [markdown]
# ### Longer than the context
#
# A long text is read in windows. Move on by a stride, and count the tokens that are new. Here a
# context of 8 and a stride of 4: of 9 places 8 are read, and the last is only predicted. The last
# window is moved back, so that it is full.

# %%
spans = evaluation.windows(18, block_size=8, stride=4)
rows = [["." * start + "c" * (stop - n - start) + "S" * n] for start, stop, n in spans]
viz.table(rows, ["c: context only, S: scored"], rows=[f"{a} to {b - 1}" for a, b, _ in spans])

# %% [markdown]
# Every token but the first is scored once. What do the usual mistakes cost? For a fair test we need
# a model that has learned from windows cut anywhere: a small one, with a context of 32.

# %%
from minigpt import GPT, GPTConfig, load_data
from minigpt.data import get_batch
from minigpt.training import cross_entropy

data = load_data("stories", tokenizer, stories=3000)
torch.manual_seed(0)
reader = GPT(GPTConfig(tokenizer.vocab_size, 32, n_layer=2, n_head=4, n_embd=64))
optimizer = torch.optim.AdamW(reader.parameters(), lr=3e-3, weight_decay=0.0)
dice = torch.Generator().manual_seed(0)
for _ in range(300):
    x, y = get_batch(data.train, 32, 32, dice)
    optimizer.zero_grad()
    cross_entropy(reader(x), y).backward()
    optimizer.step()
reader.eval()
print("trained")

# %% [markdown]
# Now 4,000 tokens of held-out stories, one after another. **Predict:** stride 32 (no overlap), or
# stride 4: which gives the lower perplexity?

# %%
stream = data.val[:4000]
strides = [32, 16, 8, 4]
right = [evaluation.token_nats(reader, stream, s).mean().exp().item() for s in strides]
assert right[0] > right[-1]  # more context
rows = [[s, len(evaluation.windows(4000, 32, s)), f"{p:.2f}"] for s, p in zip(strides, right)]
viz.table(rows, ["stride", "windows", "perplexity per token"])

# %% [markdown]
# The model is the same; with half a window of overlap each token has more before it, at twice the
# price. Beyond that nothing is gained here. So a perplexity needs its stride and its context.

# %% [markdown]
# A mistake, **scored twice**: all of each overlapping window counts.

# %%
ids = torch.as_tensor(stream.astype(np.int64))
every = [evaluation.token_nats(reader, ids[i : i + 33], 32) for i in range(0, 3990, 16)]
twice = torch.cat(every).mean().exp().item()
assert twice > right[1] + 0.05
viz.table([[f"{right[1]:.2f}", f"{twice:.2f}"]], ["each once", "scored twice"])

# %% [markdown]
# Each token also counts where little stands before it: as bad as no overlap. Nothing crashed, and
# the figure looks like a perplexity.

# %% [markdown]
# Another, the **mean of means**: texts of unequal length weigh alike. Take the 60 stories, and
# their beginnings up to the first comma as texts of their own. **Predict:** which is larger, the
# mean over tokens or over texts?

# %%
beginnings = [story.split(",")[0] + "," for story in told]
each = evaluation.measure(model, tokenizer, told + beginnings).each  # nats, tokens of each text
by_token, by_text = each[:, 0].sum() / each[:, 1].sum(), (each[:, 0] / each[:, 1]).mean()
assert by_text > 1.15 * by_token
viz.table([[math.exp(by_token), math.exp(by_text)]], ["weighed by tokens", "mean of means"])

# %% [markdown]
# A beginning has few tokens and many dice, and the mean of means counts it as much as a whole
# story.

# %% [markdown]
# ### The last word
#
# **LAMBADA** asks for the last word of a passage that only the whole passage decides (Paperno et
# al. 2016). Every story ends with such a word: the quiz.

# %%
items = evaluation.last_words(told)
print(items[0].context[-60:], "→", items[0].answer)
answers = evaluation.last_word(model, tokenizer, items)
low, high = evaluation.wilson(int(answers.right.sum()), len(answers.right))
assert answers.accuracy > 0.9
viz.table([[f"{v:.0%}" for v in (answers.accuracy, low, high)]], ["right", "from", "to"])

# %% [markdown]
# All tokens of the word must be the likeliest in turn. **Wilson's interval** holds all shares that
# would give such a count by usual luck, 1.96 standard errors each way: no mistake in 60 is no proof
# of none. (The paper also forbade **stop-words** such as *the* as answers: for its largest model
# that made 52.66 % into 63.24, section 3.3.)

# %% [markdown]
# ### A choice
#
# The **Children's Book Test** gives ten candidates (Hill et al. 2016). The model scores each,
# with what follows, and the likeliest is taken. We ask where the thing was found, of 12 places.

# %%
places = [evaluation.recall_choice(story, "place2") for story in told]
places = [item for item in places if item][:30]
answers = evaluation.choose(model, tokenizer, places)
low, high = evaluation.wilson(int(answers.right.sum()), len(places))
print(f"{places[0].context[-50:]} ___ {places[0].candidates[places[0].right]}")
print(f"{answers.accuracy:.0%} of {len(places)} right ({low:.0%} to {high:.0%}); chance: 8 %")

# %% [markdown]
# Far above chance. A story may name two places; is this better than a coin between them? 42 % to 75
# % cannot say. What did it choose when it was wrong?

# %%
chosen = [row.argmax() for row in evaluation.candidate_scores(model, tokenizer, places)]
wrong = [(i, c) for i, c in zip(places, chosen) if c != i.right]
named = sum(item.candidates[c].strip() in item.context for item, c in wrong)
viz.table(
    [[len(wrong), named, len(wrong) - named]], ["wrong", "named in the story", "named nowhere"]
)

# %% [markdown]
# Hardly ever the other place. Mostly one that the story never names: remember it, the summaries
# will fail at the same fact.

# %% [markdown]
# A longer candidate has more tokens, so its log-probability is a longer sum. Many divide by the
# length: **length normalisation**. When is it due? Ask what only dice decide: where somebody lives.
# All ten homes are equally likely. **Predict:** which home is chosen if scores are divided by
# bytes?


# %%
def home_item(story):  # no candidate is right: a die decides; a comma follows
    at = story.index(", who lived ") + len(", who lived")
    return evaluation.Choice(
        story[:at], tuple(f" {home}" for home in GRAMMAR["home"]), 0, ","
    )  # 0: none is right


dice_items = [home_item(story) for story in told[:30]]
picked = {}
for how in (None, "byte"):
    scores = evaluation.candidate_scores(model, tokenizer, dice_items, normalize=how)
    picked[how] = np.bincount([row.argmax() for row in scores], minlength=10)
assert picked["byte"][GRAMMAR["home"].index("behind a waterfall")] > 25

# %% [markdown]
# Here is how often each was chosen, in 30 stories.

# %%
order = np.argsort([len(home) for home in GRAMMAR["home"]])
names = [GRAMMAR["home"][i] for i in order]
_, axes = plt.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained", sharey=True)
for ax, (how, counts) in zip(axes, picked.items()):
    ax.barh(names, counts[order])
    ax.set(title="as they are" if how is None else f"per {how}", xlabel="times chosen")
plt.show()

# %% [markdown]
# Divided by bytes, the *longest* wins: about equal nats over more bytes. Neither knows: the teller
# threw a die. Divide when a right answer would lose for its length alone, not where the sums are
# the probabilities you want; and report both.

# %% [markdown]
# ### Why the paper's figures differ from later ones
#
# Old data sets are cut up for models of words. GPT-2 had read English, so the paper undid it with
# **de-tokenizers** (section 3.1). Only LAMBADA's was published.

# %%
from minigpt.evaluation import detokenizers

cut = "the game 's 1 @,@ 000 well @-@ known songs ( and more ) ."
tidy = detokenizers.wikitext(cut)
gpt2 = Tokenizer.gpt2()
rows = [[text, len(text.split()), len(gpt2.encode(text))] for text in (cut, tidy)]
viz.table(rows, ["text", "words", "GPT-2's tokens"])

# %% [markdown]
# And the nats are divided by the words of the *published* text, `@,@` included (openai/gpt-2, issue
# 78). What others measured with the same weights, gpt2:

# %%
rows = [
    ["WikiText-2", "29.41", "29.94 per token (transformers, issue 13761)"],
    ["WikiText-103", "37.50", "37.37 per word, the same test text (issue 13761)"],
    ["LAMBADA, accuracy", "45.99", "32.56 whole word (evaluation harness, issue 2159)"],
]
viz.table(rows, ["data set", "the paper", "others"])

# %% [markdown]
# The unit explains the others' two figures: one test text, per token and per word. It does not
# explain the paper's, whose preparation was not published. (`minigpt evaluate gpt2 lambada`
# measures your copy, beside the paper's.)

# %% [markdown]
# ## Zero-shot and few-shot
#
# **Zero-shot**: the prompt asks, without an example. **Few-shot**: examples stand in the prompt,
# and no weight changes. Take a rule that cannot be in the weights.

# %% [markdown]
# ### A rule that is drawn anew
#
# A row is `key value key value ...`. Eight keys get values by lot, anew in every row. Numbers stand
# for words; a key that has come before has the same value again.

# %%
from minigpt.evaluation import few_shot

rows = few_shot.pair_rows(400, torch.Generator().manual_seed(9))
pairs = rows[0].view(-1, 2).tolist()[:9]
viz.table([[f"{key} → {value}" for key, value in pairs]], map(str, range(1, 10)))

# %% [markdown]
# Our model has never seen such rows. As in lesson 09 it learns to go on with random pieces that are
# repeated, and nothing else. Its first weights are larger, so that the head comes sooner. Half a
# minute.

# %% tags=["nbval-ignore-output"]
copier, losses = few_shot.copying_model(350)
viz.table([[f"{loss:.2f}" for loss in losses]], [str(50 * i) for i in range(len(losses))])

# %% [markdown]
# The loss falls off the cliff you know. Now give it pairs, and let the grey line be the best that
# any reader can do: who has not seen the key yet must guess. **Predict:** does copying help here?

# %% tags=["nbval-ignore-output"]
accuracy = few_shot.accuracy_by_examples(copier, rows)
assert accuracy[16:].mean() > 3 * accuracy[1:3].mean()  # it gains with examples
_, ax = plt.subplots(figsize=(6.4, 3.6))
ax.plot(few_shot.best_accuracy(32), color="gray", label="best possible")
ax.plot(accuracy, "o-", label="trained on repeats only")
ax.set(xlabel="examples before the question", ylabel="share right", ylim=(0, 1))
ax.legend()
plt.show()

# %% [markdown]
# It gains with the examples, and no weight changes: **in-context learning**, in its plainest form,
# looking up a pair (**associative recall**). A head that finds what followed the same token before,
# as in lesson 09, would do it; here we did not look. It stays below the best possible at the end.

# %% [markdown]
# **Predict:** and the storyteller? Tell it who has what, of several friends, and ask about one of
# them. Chance is 1 in 16; who copies any one thing from the prompt is right once in *friends told*.

# %%
import random

from minigpt.evaluation import Choice


def who_has_what(shots, dice):
    names, things = dice.sample(GRAMMAR["name"], shots), dice.sample(GRAMMAR["thing"], shots)
    told_before = " ".join(f"{n} has the {t}." for n, t in zip(names, things))
    asked = dice.randrange(shots)
    candidates = tuple(f" {thing}" for thing in GRAMMAR["thing"])
    right = GRAMMAR["thing"].index(things[asked])
    return Choice(f"{told_before} {names[asked]} has the", candidates, right, ".")


print(who_has_what(3, random.Random(0)).context)

# %% [markdown]
# Names and things stand in its stories. *Has* does not, and the sentence is new.

# %%
rows = []
for shots in (1, 2, 4, 8):
    items = [who_has_what(shots, random.Random(i)) for i in range(25)]
    right = evaluation.choose(model, tokenizer, items).right
    low, high = evaluation.wilson(int(right.sum()), len(right))
    rows.append([shots, f"{right.mean():.0%}", f"{low:.0%} to {high:.0%}"])
assert int(rows[-1][1][:-1]) < 50
viz.table(rows, ["friends told", "right", "95 %"])

# %% [markdown]
# With one friend told, whoever copies at all is right every time; it is not. In this form there is
# little to tell it from chance. It recalls things within its stories, as the quiz showed, but not
# in a form that it has never read.

# %% [markdown]
# ### The paper's prompts
#
# GPT-2 was never told its tasks. The *form* of the text says what to do (sections 3.6 to 3.8).

# %%
from minigpt.evaluation import prompts

forms = {
    "question": prompts.questions([("What colour is snow?", "white")], "What colour is grass?"),
    "translation": prompts.translation([("good morning", "bonjour")], "thank you"),
    "summary": prompts.summary("Leo lost his grey wagon. It was under the stairs."),
}
viz.table([[form.replace("\n", " ⏎ ")] for form in forms.values()], ["prompt"], rows=list(forms))

# %% [markdown]
# OpenAI's `gpt2` goes on from them, if it is on this machine; lesson 08 says how to get it.

# %% tags=["nbval-ignore-output"]
from minigpt.pretrained import find_file

try:
    real, words = from_pretrained(find_file("gpt2"), verbose=False)
except FileNotFoundError:
    print("gpt2 is not on this machine: this cell waits for `minigpt download gpt2`.")
else:
    for name, form in forms.items():
        idx = torch.tensor([words.encode(form)])
        out = sampling.generate(real, idx, 12, temperature=0)[0, idx.size(1) :]
        print(f"{name}: {prompts.first_line(words.decode(out))}")

# %% [markdown]
# The examples cost context: prompt and answer must fit into the window together, or whole examples
# are left out. The paper's own verdict, on its largest model: from English to French 5 points of
# **BLEU**, a score of translations that goes to 100 (more of it below); summaries hardly better
# than three random sentences; 4.1 % of Natural Questions (sections 3.6 to 3.8).

# %% [markdown]
# ## Fine-tuning: a summary
#
# The storyteller can do one thing: tell stories. That was its **pretraining**. To **fine-tune** it
# is to train it a little longer, on examples of another task.

# %%
from textwrap import fill

from minigpt.finetuning import complete, example_batch, finetune, load_task, with_room

data = load_task("summary", tokenizer)
example = data.val[0]
print(fill(example.prompt.replace("\n", " ⏎ "), 90))
print(example.target)

# %% [markdown]
# An example has a **prompt** and a **target**. The prompt ends in `TL;DR:`, as OpenAI's did when
# they asked GPT-2 for summaries (Radford et al. 2019, section 3.6). The teller knows what was lost
# and where it was, so every summary has one right answer.

# %% [markdown]
# Both go into one row, and the loss counts the target only: everywhere else y is −100. **Predict:**
# how many of this row's tokens count? About 12, 60 or 140?

# %%
x, y = example_batch([example], tokenizer, block_size=160)


def word(token):
    return tokenizer.decode([token]) if token >= 0 else ""


rows = [[i, word(x[0, i]), word(y[0, i])] for i in range(x.size(1) - 16, x.size(1))]
print(f"{x.size(1)} tokens are read, {(y >= 0).sum()} count:")
viz.table(rows, ["position", "x: it reads", "y: it should say"])

# %% [markdown]
# The loss is the mean over those few; in a batch over all target tokens, so a longer answer weighs
# more. Shorter rows are filled up behind with the end mark (**padding**), which does not count.

# %% [markdown]
# But does it fit? The storyteller has a table of 128 positions. **Predict:** for how many of 2,000
# stories is there room for the summary too? Hardly any, half, or nearly all?

# %%
from minigpt.finetuning.examples import context_needed

needed = [context_needed(each, tokenizer) for each in data.train]
fits = sum(length <= 128 for length in needed)
plt.hist(needed, bins=range(115, 150), color="C0")
plt.axvline(129, color="C1", linestyle="--")
plt.gca().set(xlabel="tokens of story and summary", ylabel="examples")
plt.show()
print(f"{fits} of {len(needed):,} fit into 128; the longest needs {max(needed)}")
assert fits < 0.15 * len(needed) and max(needed) <= 160

# %% [markdown]
# Hardly any. So give the model more positions. `with_room` copies it and appends rows to the
# position table, each a copy of the last one. They mean nothing yet; fine-tuning must teach them.

# %%
roomy = with_room(model, 160)
assert torch.equal(roomy(x[:, :128]), model(x[:, :128]))
more = roomy.num_parameters() - model.num_parameters()
print(f"{more:,} parameters more, {more / model.num_parameters():.2%}")

# %% [markdown]
# That is the price in memory. Within 128 tokens the logits are the same, bit for bit. **Predict:**
# what does it write after `TL;DR:` now, before any fine-tuning: a summary, or another story?

# %%
val_prompts = [each.prompt for each in data.val]
for answer in complete(roomy, tokenizer, val_prompts[:4], max_new_tokens=14):
    print(answer)

# %% [markdown]
# Neither: a full stop, and the end. It has never read those letters. OpenAI asked GPT-2 without any
# fine-tuning (same section); on the web people write `TL;DR:` before summaries.

# %% [markdown]
# Now 50 steps with 16 examples each, from three seeds. The seed decides which examples come when.
# Three bars show how far each run is.

# %% tags=["nbval-ignore-output"]
summarisers = []
for seed in range(3):
    summarisers.append(with_room(model, 160))
    finetune(summarisers[-1], data, max_steps=50, seed=seed)

# %% [markdown]
# The 200 stories in `data.val` were never learned from. **Predict:** which of the four facts will
# be wrong most often: the name, the colour, the thing or the place?

# %% tags=["nbval-ignore-output"]
import re

SUMMARY = re.compile(r" (\w+) lost the (\w+) (\w+); it was (.+)\.")


def facts(text):  # name, colour, thing, place
    found = SUMMARY.fullmatch(text)
    return found.groups() if found else ("", "", "", "")


right, written = [facts(each.target) for each in data.val], []
for each in summarisers:
    written.append(complete(each, tokenizer, val_prompts))
same = [[[a == b for a, b in zip(facts(s), r)] for s, r in zip(w, right)] for w in written]
same = torch.tensor(same).float()  # (seeds, stories, facts)
shares = 100 * torch.cat([same.mean(dim=1), same.prod(dim=-1).mean(dim=1)[:, None]], dim=1)
assert (shares[:, 3] < shares[:, :3].min(dim=1).values - 5).all()
columns = ["name", "colour", "thing", "place", "all four"]
rows = [[f"{share:.0f} %" for share in row] for row in shares.tolist()]
viz.table(rows, columns, rows=["seed 0", "seed 1", "seed 2"])

# %% [markdown]
# Name, colour and thing are seldom wrong. The place is. Where does a wrong place come from? Many
# stories name a second one, where somebody searched in vain. **Predict:** is it that other place,
# or one that the story never names?

# %% tags=["nbval-ignore-output"]
misses = []
for each, true, summary in zip(data.val, right, written[0]):
    place = facts(summary)[3]
    if place != true[3]:
        where = "elsewhere in the story" if place and place in each.prompt else "nowhere"
        misses.append([place, true[3], where])
nowhere = sum(where == "nowhere" for _, _, where in misses)
assert nowhere > len(misses) / 2
print(f"{len(misses)} wrong places; {nowhere} of them stand nowhere in the story")
viz.table(misses[:10], ["it says", "the story says", "what it says stands"])

# %% [markdown]
# Mostly nowhere. And look at the words: *under* for *under*, *up* for *up*. What the story does not
# support is a **hallucination**: **intrinsic** if it twists what stands there, **extrinsic** if it
# stands nowhere. Maynez et al. (2020) had people read the summaries of large
# models, and found much of it.

# %% [markdown]
# Take one of those summaries up to where it goes wrong. **Predict:** is the model sure of its wrong
# word, or torn between two?

# %% tags=["nbval-ignore-output"]
wrong = next(i for i, row in enumerate(same[0].tolist()) if row == [1, 1, 1, 0])
start = val_prompts[wrong] + written[0][wrong].rpartition(" ")[0]
idx = torch.tensor([[tokenizer.end_of_text, *tokenizer.encode(start)]])
viz.plot_next_token(summarisers[0](idx)[0, -1].softmax(dim=-1), tokenizer, top=4)
plt.show()
print(start.rpartition("; ")[2], "... and the story says:", right[wrong][3])

# %% [markdown]
# Compare the bars with the story. Greedy decoding writes the longest bar, and nothing in the
# summary tells you that there was another. (One case of many.)

# %% [markdown]
# How would a usual score judge that? **ROUGE-L** (Lin 2004) looks for the longest sequence of words
# that summary and right answer have in common, in order, gaps allowed. **Predict:** what do the
# *false* summaries score, of 100?

# %% tags=["nbval-ignore-output"]
from minigpt.evaluation.overlap import rouge

targets = [each.target for each in data.val]
rows = []
for w in written:
    false = [i for i, (s, t) in enumerate(zip(w, targets)) if s != t]
    scores = rouge([w[i] for i in false], [targets[i] for i in false])
    rows.append([f"{len(false) / len(w):.0%}", f"{scores['rougeL']:.0f}"])
    assert len(false) > 20 and scores["rougeL"] > 75
viz.table(rows, ["false", "ROUGE-L of these"], rows=["seed 0", "seed 1", "seed 2"])

# %% [markdown]
# All but a word or two are right, and ROUGE counts words. The one that is wrong is the one you
# asked for. Where a right answer is known, count right answers.

# %% [markdown]
# ## Fine-tuning: translation
#
# Chinese, for a model that has never seen a Chinese character. Two grammars, side by side, make the
# sentences. In the second form the two languages put things in a different order, and Chinese
# counts with a **measure word**: 一辆马车, one *vehicle* of wagon.

# %%
from minigpt.finetuning.chinese import COLOURS, THINGS, is_held_out, translate

pairs = [
    translate(form, "grey", thing, "under the stairs")
    for thing in ("wagon", "hat")
    for form in ("the", "a")
]
viz.table(pairs, ["English", "Chinese"])

# %% [markdown]
# The tokenizer has no Chinese token either. But it is byte-level: any text can be spelled in bytes.
# **Predict:** how many tokens are the 11 characters 灰色的马车在楼梯下面。?

# %%
english, chinese = pairs[0]
rows = [
    [text, len(text), len(text.encode()), len(tokenizer.encode(text))]
    for text in (english, chinese)
]
viz.table(rows, ["text", "characters", "bytes", "tokens"])

# %% [markdown]
# Three bytes a character in UTF-8, so three tokens. The model must spell each character byte by
# byte.

# %% [markdown]
# To see whether it learns words or sentences by heart, one pair of colour and thing in six is
# **held out**: no sentence in training has it, though it has that colour and that thing, with
# others.

# %%
held = torch.tensor([[is_held_out(colour, thing) for thing in THINGS] for colour in COLOURS])
plt.imshow(~held, cmap="cividis", aspect="auto")
plt.xticks(range(len(THINGS)), THINGS, rotation=90)
plt.yticks(range(len(COLOURS)), COLOURS)
plt.show()
print(f"dark: {held.sum()} of {held.numel()} pairs are held out")

# %% [markdown]
# **Predict:** after 150 steps, what is translated to the letter: of sentences with learned pairs,
# of sentences with held-out pairs?

# %% tags=["nbval-ignore-output"]
chinese_data = load_task("translation", tokenizer)
translator = with_room(model, 128)  # the same size: just a copy
history = finetune(translator, chinese_data, max_steps=150, batch_size=32)

# %% tags=["nbval-ignore-output"]
from minigpt.evaluation.overlap import bleu
from minigpt.finetuning.chinese import translations

sets = {"learned pairs": translations(10**6), "held-out pairs": translations(10**6, held_out=True)}
asked = {name: [next(source) for _ in range(100)] for name, source in sets.items()}
rows, translated = [], {}
for name, examples in asked.items():
    translated[name] = complete(translator, tokenizer, [each.prompt for each in examples])
    answers = [each.target for each in examples]
    exact = sum(map(str.__eq__, translated[name], answers))
    score = bleu(translated[name], answers, tokenize="zh")
    rows.append([name, f"{exact} of 100", f"{score['bleu']:.1f}"])
    assert exact > 50
viz.table(rows, ["", "to the letter", "BLEU"])

# %% [markdown]
# Most of both. So it learned the parts, and how to put them together. BLEU (Papineni et al.
# 2002) counts which pieces of one to four words, here characters, are in the right answer too; 100
# is perfect.

# %% [markdown]
# Now leave the grammar by a step. **Predict:** what does it make of a thing that it never saw
# translated, a *fox*?

# %% tags=["nbval-ignore-output"]
strange = ["The red fox is in the oven.", "The red hat was in the oven.", "Leo is in the oven."]
answers = complete(translator, tokenizer, [f"{each} =" for each in strange])
viz.table(list(zip(strange, answers)), ["English", "its Chinese"])

# %% [markdown]
# It has no word for *fox*, or for *Leo*, and no way to say so: it keeps the sentence's shape, and
# fills the hole with something else, at times with bytes that are no word.

# %% [markdown]
# ## Fine-tuning: questions, and a dialogue
#
# Now questions about a story. Four facts can be asked for, each as a question or as an instruction;
# examples written as instructions are what **instruction tuning** is made of.

# %%
from minigpt.finetuning.tasks import ASKED, NEVER_TAUGHT

left_out, form = NEVER_TAUGHT
rows = [[kind, *words] for kind, words in ASKED.items()]
print("never in training:", ASKED[left_out][form])
viz.table(rows, ["fact", "question", "instruction", "answer"])

# %% [markdown]
# One of the eight is left out of training: where the thing was, as an instruction. **Predict:**
# what does the model do with it? Give the place, give another fact, or write nonsense?

# %% tags=["nbval-ignore-output"]
asked_data = load_task("questions", tokenizer)
answerer = with_room(model, 160)
history = finetune(answerer, asked_data, max_steps=100)

# %% tags=["nbval-ignore-output"]
from minigpt.finetuning.tasks import ask, tellings

stories = [telling for telling, _ in zip(tellings(10**6), range(40))]
rows = []
for kind in ASKED:
    share = []
    for form in (0, 1):
        examples = [ask(telling, kind, form) for telling in stories]
        answers = complete(answerer, tokenizer, [each.prompt for each in examples])
        share.append(sum(a == e.target for a, e in zip(answers, examples)))
    rows.append([kind, *(f"{right} of 40" for right in share)])
viz.table(rows, ["fact", "question", "instruction"])

# %% [markdown]
# Compare the last column with the one before. The instruction that was never taught is followed
# about as often as its question; to know what *where* asks is enough for that. The colour is easy:
# stories end with that question. The owner is one of two names, and a coin would get half.

# %% [markdown]
# A **dialogue** is the same once more. Each prompt holds all that was said before, and the target
# is the friend's next turn. Again the pairs of colour and thing in question are held out.

# %% tags=["nbval-ignore-output"]
talk_data = load_task("dialogue", tokenizer)
friend = with_room(model, 128)
history = finetune(friend, talk_data, max_steps=80)

# %% [markdown]
# Now you talk, and it is its own answers that go back into the prompt. **Predict:** in the third
# turn, will it still know your name from the first?


# %% tags=["nbval-ignore-output"]
def talk(lines):
    said = ""
    for line in lines:
        said += f"You: {line}\nFriend:"
        said += complete(friend, tokenizer, [said], max_new_tokens=24)[0] + "\n"
    return said


print(talk(["Hello! I am Ruby.", "My grey drum.", "It was in the oven."]))

# %% [markdown]
# *Grey drum* is a pair that was held out. Compare the place with yours: the trap of the summaries
# is here, too. Is it a friend, then? **Predict** its answer to a question that is in no template.

# %% tags=["nbval-ignore-output"]
print(talk(["Hello! I am Ruby.", "What is your name?", "I am sad."]))

# %% [markdown]
# It has three turns, and takes the next one, whatever you say. That is what this small model
# learned of a dialogue. How far a larger one is from it is a question to measure, not to assume.

# %% [markdown]
# ## Fine-tuning: a classifier
#
# To put texts into classes, GPT-1 added a small matrix, a **head** that scores the classes from the
# stream at the text's last token, and went on learning to tell the next token besides (Radford et
# al. 2018). Here: does a short story contradict itself?

# %%
from minigpt.finetuning import classify, count_trainable, make_classifier

doubts = load_task("contradiction", tokenizer, train=8000, val=500)
viz.table([[each.label, each.text] for each in doubts.val[:4]], ["label", "story"])

# %% [markdown]
# 1 means that a colour was changed, in half of all stories. Three ways to learn it. **Frozen**: the
# head alone learns. **Full**: everything does. And **LoRA** (Hu et al. 2021).

# %% [markdown]
# In LoRA each W (N x K) stays. Beside it stand A (r x K), random at first, and B (N x r), zero at
# first, so nothing changes at the start: the layer gives W x + (α / r) B A x. r is the **rank**, α
# a fixed number. Here all four matrices of a block get such a pair; many give one to query and
# value only.

# %% [markdown]
# **Predict** the share of parameters that learn with LoRA of rank 8, that is, with B of 8 columns:
# about 1 %, 7 % or 50 %?

# %%
ways, whole = ("frozen", "lora", "full"), model.num_parameters()
dice = torch.Generator().manual_seed(0)
judges = {how: make_classifier(model, tokenizer, how, rank=8, generator=dice) for how in ways}
learning = {how: count_trainable(judge) for how, judge in judges.items()}
rows = [[count, f"{count / whole:.2%}"] for count in learning.values()]
viz.table(rows, ["learn", "of the model's"], rows=ways)

# %% [markdown]
# (100.03 %: the head is extra.) In gpt2-xl's largest matrices, 1,600 x 6,400, rank 8 learns 8 x
# (1,600 + 6,400) = 64,000 beside 10.24 million: 0.6 %. **Predict:** who is right more often than a
# coin: the frozen one, LoRA, full?

# %% tags=["nbval-ignore-output"]
recipe = dict(max_steps=160, batch_size=64, optimizer="adamw", seed=0)
rates = {"frozen": 1e-2, "lora": 5e-3, "full": 1e-3}
courses = {how: finetune(judges[how], doubts, max_lr=rates[how], **recipe) for how in ways}

# %% tags=["nbval-ignore-output"]
from minigpt.viz.figures import plot_losses

texts, labels = [e.text for e in doubts.val], torch.tensor([e.label for e in doubts.val])
scores = {how: (classify(judges[how], tokenizer, texts) == labels).sum().item() for how in ways}
assert scores["frozen"] < 325 < max(scores.values())
axes = plot_losses({how: [record.loss for record in courses[how]] for how in ways})
axes.set(ylim=0, ylabel="loss (nats per story)")
plt.show()
viz.table([[learning[how], f"{scores[how]} of 500"] for how in ways], ["learn", "right"], rows=ways)

# %% [markdown]
# The frozen head is hardly better than a coin, 250: in 160 steps it has found nothing. The others
# were coins too, at first; then a curve falls.

# %% [markdown]
# Do not read the order of the three as a law: one seed, a rate for each, and *full* may still be
# falling at the last step. Try another `seed`.

# %% [markdown]
# And the promise of LoRA: the matrices that stood there have not moved by a bit, and what was
# learned can be added to them.
# **Predict:** does the merged model give the same scores?

# %%
from copy import deepcopy

from minigpt.finetuning import merge_lora

judge = deepcopy(judges["lora"])  # merging changes the model
old = dict(model.named_parameters())
for name, weight in judge.gpt.named_parameters():
    assert "lora" in name or torch.equal(weight, old[name])
few = doubts.batch("val", 128, 8, torch.Generator().manual_seed(0))[0]
with torch.no_grad():
    beside = judge(few)
    merge_lora(judge.gpt)
    print(f"largest difference {(judge(few) - beside).abs().max():.0e}")
    assert torch.allclose(judge(few), beside, atol=1e-4)

# %% [markdown]
# The same, up to rounding: W + (α / r) B A is one matrix again, and costs nothing more to run.

# %% [markdown]
# ## Forgetting
#
# Each of these models was a storyteller once. **Predict:** what do they pay for stories now? The
# floor is what the grammar itself pays for the same 100 stories.

# %%
from itertools import islice

from torch.nn import functional as F

from minigpt import Stories
from minigpt.finetuning import Example

fresh = [*islice(Stories(seed=3), 100)]
telling = [Example("", story) for story in fresh]  # nothing is given: every token counts
story_x, story_y = example_batch(telling, tokenizer, 128)
floor = -sum(map(Stories.log_prob, fresh)) / len(fresh)


@torch.no_grad()
def nats_per_story(model):
    logits = model(story_x).flatten(0, 1)
    return F.cross_entropy(logits, story_y.flatten(), reduction="sum").item() / len(fresh)


# %% [markdown]
# A story with an empty prompt is an example too: all of it counts. The loss is added up, not
# averaged over tokens, so it compares with what the grammar pays for whole stories.

# %% tags=["nbval-ignore-output"]
kinds = {
    "storyteller": model,
    "after summaries": summarisers[0],
    "after translation": translator,
    "after questions": answerer,
    "after dialogues": friend,
}
costs = {name: nats_per_story(each) for name, each in kinds.items()}
assert costs["storyteller"] < 1.05 * floor and costs["after summaries"] > 2 * floor
rows = [[nats, nats / floor] for nats in costs.values()]
viz.table(rows, ["nats a story", "× floor"], rows=list(costs))

# %% [markdown]
# Many times the floor: after 50 to 150 steps of another task they no longer expect stories. This is
# **catastrophic forgetting** (McCloskey & Cohen 1989). The loss never asked for stories any more.

# %% [markdown]
# The cure is old: **rehearsal**. Mix stories, as they are, into the examples. **Predict:** are the
# summaries worse for it?

# %% tags=["nbval-ignore-output"]
from dataclasses import replace

stories_too = [Example("", story) for story in islice(Stories(seed=4), 2000)]
mixed = replace(data, train=[*data.train, *stories_too])
both = with_room(model, 160)
history = finetune(both, mixed, max_steps=50, batch_size=32)  # half of them are summaries

# %% tags=["nbval-ignore-output"]
costs["after both"] = nats_per_story(both)
again = complete(both, tokenizer, val_prompts)
exact = {"after summaries": written[0], "after both": again}
exact = {name: sum(map(str.__eq__, w, targets)) for name, w in exact.items()}
assert costs["after both"] < 2 * floor < costs["after summaries"]
rows = [[costs[name] / floor, f"{right} of {len(targets)}"] for name, right in exact.items()]
viz.table(rows, ["× floor", "summaries to the letter"], rows=list(exact))

# %% [markdown]
# The stories are nearly back at the floor, and the summaries no worse than luck makes them: seeds
# alone differ by as much. It took twice the rows a step. (LoRA is no cure by itself: take its
# addition off and the storyteller is back; with it on, nothing is promised.)

# %% [markdown]
# ## BLEU and ROUGE mislead
#
# Both scores compare words with a right answer's words. **ROUGE-1** counts common words,
# **ROUGE-2** common pairs, ROUGE-L the longest common sequence. Divided by the text's words that is
# **precision**, by the answer's **recall**; shown is **F1**, 2PR / (P + R).

# %% [markdown]
# BLEU is a precision of runs of one to four words, takes off for being short, and is rough for one
# sentence. Here is an answer, and four things one might write instead. **Predict:** order them by
# how good they are; then by ROUGE.

# %%
reference = "Leo lost the grey wagon; it was under the stairs."
candidates = {
    "true, other words": "Under the stairs stood the grey wagon that Leo was missing.",
    "true, shorter": "Leo's grey wagon was under the stairs.",
    "false place": "Leo lost the grey wagon; it was under the bed.",
    "false, turned round": "Leo lost the stairs; it was under the grey wagon.",
}
rows = []
for text in candidates.values():
    scores = rouge([text], [reference]) | bleu([text], [reference])
    rows.append([text, *(round(scores[name]) for name in ("rouge1", "rougeL", "bleu"))])
assert all(min(rows[2][i], rows[3][i]) > rows[0][i] and rows[2][i] > rows[1][i] for i in (1, 2, 3))
viz.table(rows, ["text", "ROUGE-1", "ROUGE-L", "BLEU"], rows=list(candidates))

# %% [markdown]
# By every score the false place beats both true sentences. And *lost the stairs* has all the words,
# so ROUGE-1, which ignores their order, calls it perfect. Four sentences made to mislead: they show
# that it can happen, not how often.

# %% [markdown]
# The same with translations: two characters decide whether the hat is in the oven or in the bath.

# %%
right_one = "红色的帽子在烤箱里。"
others = {
    "true place, a slip": "烤箱里有一顶红色的帽子。",
    "false place": "红色的帽子在浴缸里。",
}
rows = []
for text in others.values():
    rows.append([text, f"{bleu([text], [right_one], tokenize='zh')['bleu']:.0f}"])
viz.table(rows, ["for " + right_one, "BLEU"], rows=list(others))

# %% [markdown]
# The hat in the bath wins. Both scores measure likeness to one right answer, and neither asks what
# is true.

# %% [markdown]
# So people are asked: they see two texts and say which is better. That is **human preference**.
# They must not know which system wrote which (**blind**), and the order is drawn by lot; several
# judge each pair, and one tells how often they agree. Without people: check each fact against the
# story.

# %% [markdown]
# **In your own words:** you compare two summarisers by asking 20 friends. What must they be shown,
# and what must they not know? Name two ways in which they could prefer the worse one. (A false fact
# is seen only by who has read the story.)

# %% [markdown]
# ## Other designs, at equal compute
#
# (May be skipped.) GPT-2 is one answer of several. Here are five, each as small as can be, on the
# same stories:
#
# | design | reads | is trained to say |
# | --- | --- | --- |
# | bigram | the last token | the next token; it only counts |
# | LSTM (1997) | left to right, into one state | the next token |
# | GPT-2: a decoder | left to right, looking back | the next token |
# | BERT: an encoder | both ways | tokens that were hidden |
# | T5: an encoder-decoder | a first part both ways | the second part, token by token |
#
# An **LSTM** carries one state from token to token and rewrites it. An **encoder** reads all of a
# text at once, a decoder from left to right. In an **encoder-decoder** the one asks the other, by
# **cross-attention**: queries from the second part, keys and values from the first.

# %% [markdown]
# Published models of these kinds are far larger. Their figures differ in more than the design:
#
# | | parameters | trained to say | data | context |
# | --- | --- | --- | --- | --- |
# | GPT-1 (Radford et al. 2018) | 117M | the next token | BooksCorpus | 512 |
# | BERT (Devlin et al. 2018) | 110M, 340M | hidden tokens (15 %) | BooksCorpus, Wikipedia | 512 |
# | GPT-2 (Radford et al. 2019) | 124M to 1.56B | the next token | WebText, 40 GB | 1024 |
# | T5 (Raffel et al. 2020) | 60M to 11B | spans that were cut out | C4, from Common Crawl | 512 |
# | GPT-3 (Brown et al. 2020) | up to 175B | the next token | 300B tokens | 2048 |
#
# (GPT-2's are counted as in lesson 05; the paper's labels say 117M to 1542M.)

# %% [markdown]
# So make more alike: the stories, the optimizer, and the **compute**, counted in FLOPs. Not all:
# each starts from the storyteller's token table (and all but the LSTM from its positions), which a
# decoder has learned; and rates were hardly searched.

# %%
from minigpt.evaluation import designs

data = load_data("stories")
width = GPTConfig(vocab_size=1024, block_size=128, n_layer=1, n_head=4, n_embd=128)
[one] = tokenizer.encode(" One")  # every story's second part begins: One rainy Monday ...
KINDS = {
    "LSTM": lambda: designs.LSTM(width),
    "decoder": lambda: designs.Decoder(width),
    "masked": lambda: designs.Masked(width),
    "encoder-decoder": lambda: designs.EncoderDecoder(width, cut=one),
}

# %% [markdown]
# A batch of eight stories costs each design something else:

# %%
BUDGET, x8 = 3e11, data.batch("train", 128, 8, torch.Generator().manual_seed(0))[0]
rows = []
for name, make in KINDS.items():
    designs.use_tables(design := make(), model)
    cost = designs.training_flops(design, x8)
    rows.append([name, f"{cost / 1e9:.1f}", round(BUDGET / cost)])
viz.table(rows, ["design", "GFLOPs a batch", "batches for 300 GFLOPs"])

# %% [markdown]
# The LSTM is the cheapest, so it may read most. (The bigram's counting costs nothing: it may read
# all 20,000 stories.) **Predict:** which of the five comes nearest to the floor?

# %% tags=["nbval-ignore-output"]
SEEDS = (0, 1)
RATES = {"LSTM": 3e-2}  # the better of 0.01 and 0.03; of the others only the masked one had both


def trained(name, seed):
    torch.manual_seed(seed)
    designs.use_tables(design := KINDS[name](), model)
    designs.train_at(design, data, BUDGET, max_lr=RATES.get(name, 1e-2), seed=seed)
    return design.eval().requires_grad_(False)


runs = {(name, seed): trained(name, seed) for seed in SEEDS for name in KINDS}
runs |= {("bigram", seed): designs.Bigram(data.train.copy(), 1024) for seed in SEEDS}

# %% [markdown]
# The encoder-decoder says nothing about first parts. So all are asked for second parts only, of 64
# held-out stories. Their floor is known, too: the dice that the teller throws there.

# %% [markdown]
# (The masked model is asked for one token at a time, with all others given. That is not the
# probability of a text, and no floor holds for it.)

# %%
x, y = data.batch("val", 128, 64, torch.Generator().manual_seed(5))
second = ((x == one).cumsum(dim=1) > 0) & (y >= 0)  # (B, T): targets of the second part
told = [tokenizer.decode(row[1:][: (keep >= 0).sum() - 1].tolist()) for row, keep in zip(x, y)]
floor = sum(designs.nats_from(story, "One ") for story in told) / second.sum().item()
losses = {run: design.nats(x, y, second).nanmean().item() for run, design in runs.items()}
rows = [[name, *(losses[name, seed] for seed in SEEDS)] for name in ["bigram", *KINDS]]
viz.table([*rows, ["floor", floor, floor]], ["design", *(f"seed {s}" for s in SEEDS)])

# %% [markdown]
# Four designs have a loss for the same targets: the bigram's is highest, then the LSTM's, then the
# decoder's; the encoder-decoder's is lowest, on both seeds. It had the easier brief: all its
# training went into second parts, the only ones asked, and it has two layers to the decoder's one.

# %% [markdown]
# The masked model is not in this race: it answers another question, and after so few batches badly.

# %% [markdown]
# ## Who remembers the colour?
#
# *The red kite*: the first colour of a story is a die, every later one is known for sure. A guess
# costs ln 12 = 2.48 nats. **Predict:** which designs pay less than a guess? Does it matter how far
# back the colour stood last?


# %%
colours = torch.tensor([tokenizer.encode(f" {word}")[0] for word in GRAMMAR["colour"]])
x, y = data.batch("val", 128, 128, torch.Generator().manual_seed(6))
back = designs.tokens_back(x, y)  # (B, T): to the same word; 0 if it never stood
again = torch.isin(y, colours) & (back > 0) & ((x == one).cumsum(dim=1) > 0)  # second parts
bins = [(1, 16), (16, 32), (32, 48), (48, 80)]


def by_distance(design):
    nats = design.nats(x, y, again)
    return [nats[(back >= a) & (back < b)].nanmean().item() for a, b in bins]


paid = {run: by_distance(design) for run, design in runs.items()}
names = ["LSTM", "decoder", "masked", "encoder-decoder", "bigram"]

# %% [markdown]
# One line for each seed:

# %%
STYLES = dict(zip(names, ["o-", "s--", "^-", "D-.", "v:"]))
for (name, seed), costs_of in paid.items():
    colour, label = f"C{names.index(name)}", name if seed == 0 else None
    plt.plot(costs_of, STYLES[name], color=colour, label=label)
plt.axhline(math.log(12), color="gray", linestyle=":", label="a guess among 12")
plt.xticks(range(4), [f"{a} to {b - 1}" for a, b in bins])
plt.gca().set(xlabel="tokens back to the same colour", ylabel="nats at the colour", ylim=0)
plt.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plt.show()

# %% [markdown]
# The LSTM pays about what a guess costs: it knows *that* a colour comes and not which. The decoder
# and the encoder-decoder pay less: they use what stood there. That is so for these FLOPs; an LSTM
# that trains longer may learn it, too. The bigram never can.

# %% [markdown]
# **Predict:** what does each design see? We change token 40, and ask where outputs change.

# %%
x, _ = data.batch("val", 128, 4, torch.Generator().manual_seed(7))
changed = x.clone()
changed[:, 40] = (x[:, 40] + 1) % 1000
rows = []
for name in ("bigram", "LSTM", "decoder", "masked"):
    moved = (runs[name, 0](x) - runs[name, 0](changed)).abs().amax(dim=(0, 2)) > 1e-6  # (T,)
    rows.append([name, *("yes" if moved[t] else "no" for t in (20, 40, 41, 90))])
assert [row[1] for row in rows] == ["no", "no", "no", "yes"]
viz.table(rows, ["output changes at token", "20 (before)", "40", "41", "90"])

# %% [markdown]
# Only the masked model's output 20 depends on token 40: it sees the right. So it cannot write from
# left to right as the others do, and its surprises do not add up to the probability of a text. The
# encoder-decoder writes, but needs a first part to read. The bigram is blind beyond one token.

# %% [markdown]
# ## Bias
#
# A **bias** (not the *b* of a linear layer) is a difference that one word makes where it should
# make none. In English nobody knows how large it should be. In the stories it is known exactly: a
# hero is a girl in 12 of 24 names, whatever the trait.


# %%
from minigpt.evaluation import bootstrap
from minigpt.evaluation.bias import exact_shares, shares
from minigpt.stories import BOYS, GIRLS


def probes(trait):
    openings, animals = GRAMMAR["opening"], GRAMMAR["animal"]
    return [f"{opening} {trait} {animal} named" for opening in openings for animal in animals]


assert set(exact_shares(probes("a brave") + probes("a shy"), GIRLS).tolist()) == {0.5}
print(probes("a brave")[0])

# %% [markdown]
# 64 such prompts for each trait. **Predict:** does the storyteller, which has read 32,000 stories,
# expect girls after some traits and boys after others?

# %%
found = {t: shares(model, tokenizer, probes(t), GIRLS, GIRLS + BOYS) for t in GRAMMAR["trait"]}
order = sorted(found, key=lambda trait: found[trait].mean())
for i, trait in enumerate(order):
    plt.plot([100 * end for end in bootstrap(found[trait].tolist())], [i, i], color="C0")
    plt.plot(100 * found[trait].mean(), i, "o", color="C0")
plt.axvline(50, color="gray", linestyle="--")
plt.yticks(range(14), order)
plt.gca().set(xlabel="girls among the names (%); dashed: the truth")
plt.show()

# %% [markdown]
# These are all such prompts there are, so the shares are certain for *this* model; the intervals
# show how far prompts differ. Look at the scale: half a point from the truth. Traits with *an* lean
# one way, those with *a* the other. **Predict:** *brave* and *shy*, nearly level in the plot: can
# they be told apart?

# %%
from minigpt.evaluation.bias import bias

pairs = list(zip(probes("a brave"), probes("a shy")))
one_word = bias(model, tokenizer, pairs, GIRLS, GIRLS + BOYS)
low, middle, high = (100 * v for v in (one_word.low, one_word.difference, one_word.high))
assert -0.1 < low < high < 0
print(f"brave {one_word.first:.1%}, shy {one_word.second:.1%} girls")
print(f"difference {middle:.3f} points, 95 %: {low:.3f} to {high:.3f}")

# %% [markdown]
# Six thousandths of a point: *there*, over such prompts and in this model. Another training run
# could lean otherwise. And that a difference is there does not say that it matters.

# %% [markdown]
# Now a difference that should be there: no two friends share a name, so a girl's friend is a girl
# in 11 of 23 cases, a boy's in 12 of 23. Does the model know?

# %%
from minigpt.evaluation.bias import beginnings

told, rows = beginnings("name2", islice(Stories(seed=5), 200)), []
for who, names in (("a girl's", GIRLS), ("a boy's", BOYS)):
    openings = [opening for opening, chosen in told if chosen["name1"] in names]
    says = shares(model, tokenizer, openings, GIRLS, GIRLS + BOYS)
    low, high = bootstrap(says.tolist())
    exact = exact_shares(openings, GIRLS).mean().item()
    rows.append([who, *(f"{100 * v:.1f}" for v in (exact, says.mean().item(), low, high))])
assert float(rows[0][2]) < float(rows[1][2])
viz.table(rows, ["friend is", "a girl, exact (%)", "the model's", "from", "to"])

# %% [markdown]
# The right direction, and too little: 4.3 points between the two in the grammar, 2.6 in the model.
# The measure finds what is there: for a model that *is* the grammar it gives 11/23 and 12/23
# exactly (a test of the package holds that). Of a real language model you would have the model's
# column only.

# %% [markdown]
# ## Coherence
#
# A story is **coherent** if it does not contradict itself. Each sentence may be fine, and the lost
# thing be under the bed first and up the tower later. The reader `read_story` follows the grammar's
# choices, and where one comes again it notes what stands there instead:

# %%
from minigpt.evaluation.coherence import coherence, read_story

story = next(Stories(seed=17))
print(read_story(story).contradictions)
print(read_story(story.replace("was Leo.", "was Mia.")).contradictions)

# %% [markdown]
# True stories have none. Now 64 of the storyteller's own. **Predict:** which will it say again
# wrongly most often: names, colours, things or places?

# %%
start = torch.full((64, 1), tokenizer.end_of_text)
how = dict(stop_token=tokenizer.end_of_text, generator=torch.Generator().manual_seed(0))
texts = []
for row in generate(model, start, 127, **how)[:, 1:].tolist():
    stop = row.index(how["stop_token"]) if how["stop_token"] in row else len(row)
    texts.append(tokenizer.decode(row[:stop]))

# %% [markdown]
# Wrong, of how often it is said again:

# %%
judged = coherence(texts)
assert coherence(islice(Stories(seed=1), 200)).rate == 0
kinds = ["name", "colour", "thing", "place", "home", "habit", "pronoun"]
rows = [[k, f"{judged.wrong[k]} of {judged.again[k]}"] for k in kinds]
rows.append(["two names or places alike", str(judged.wrong["two alike"])])
viz.table(rows, ["", "wrong"])

# %% [markdown]
# Names, colours, things and pronouns it says again without a fault, habits too. Places and homes
# are another matter. And names or places come out alike: what is taken, it does not leave out, as
# lesson 07 saw. How many stories does that spoil?

# %%
from minigpt.evaluation import wilson

low, high = wilson(judged.contradictory, judged.readable)
print(f"readable as stories: {judged.readable} of {judged.stories}")
print(f"of these, {judged.rate:.0%} contradict themselves (95 %: {low:.0%} to {high:.0%})")
assert judged.rate > 0.1

# %% [markdown]
# A few wrong facts of many are enough to spoil so many stories, though the loss is within 5 % of
# the floor. Loss counts tokens; coherence counts stories.

# %% [markdown]
# ## In short
#
# - A perplexity needs its unit, its context and its stride. Bits per byte compare tokenizers.
# - Score each token once, and weigh tokens alike.
# - A last word is right when all its tokens are. Give the interval with the share.
# - Divide candidates by their length when a right answer would lose for its length alone.
# - Examples in a prompt help a model that has learned to look them up.
# - Fine-tuning teaches a form fast, and forgets the rest unless it stays in the data.
# - Fluent is not true: count facts, not words, and say how sure the count is.

# %% [markdown]
# **Your turn.** `minigpt evaluate mygpt choice` asks your own GPT. Which of its parts must you
# break to make it fail?
#
# **Exercises:** [10_tasks](../exercises/10_tasks.ipynb). They mend a perplexity that counts twice,
# score last words and gaps, and teach a model a task with few new numbers.
#
# **Next:** lesson 11 makes it fast, and asks what size is worth.
