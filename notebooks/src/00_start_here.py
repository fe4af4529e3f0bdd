# %% [markdown]
# # 00 · Start here
#
# **Afterwards you can** name the main parts of a language model and say what each does, because you
# have seen it at work: tokens, logits, sampling, loss, attention.
#
# **Takes** about 30 minutes. **Needs** a little Python. No network, no graphics card.

# %% [markdown]
# A lesson is text and code in turn. Click the cell below and press **Shift+Enter**: it runs, and
# you move on. When you read **Predict**, stop and guess before you press. A guess makes the answer
# stick.

# %% [markdown]
# First, is your machine ready? Every line should start with `ok`. If one does not, it says what to
# do.

# %% tags=["nbval-ignore-output"]
from minigpt.commands.doctor import run_checks

for check in run_checks():
    print(f"{check.mark:6} {check.name}", "" if check.ok else f"-> {check.fix}")

# %% [markdown]
# ## Where this goes
#
# You will write GPT-2 yourself, line by line, and then look into it, use it, and judge what others
# say of it.
#
# | lesson | you build |
# | --- | --- |
# | 00 start here | nothing yet: you look at all of it |
# | 01 tokenizer | text to numbers and back |
# | 02 data | batches, and a first tiny model |
# | 03 attention | how a model looks back |
# | 04 block | the part that GPT-2 repeats |
# | 05 gpt | the whole model, and what it costs |
# | 06 training | how it learns |
# | 07 sampling | how it writes |
# | 08 pretrained | OpenAI's weights in your model |
# | 09 heads | what goes on inside |
# | 10 tasks | put it to use, and measure it |
# | 11 scaling | faster and larger |
# | 12 myths | claims about GPT-2, put to the test |
# | 13 today | what changed since GPT-2, built into your model |

# %% [markdown]
# ## The storyteller
#
# A small model comes with the course. It is a GPT-2 in everything but size, and has read nothing
# but little stories.

# %%
import matplotlib.pyplot as plt
import torch

from minigpt import from_pretrained, generate, viz

viz.use_style()
model, tokenizer = from_pretrained("storyteller", verbose=False)
print(f"{model.num_parameters():,} parameters in {model.config.n_layer} layers")

# %% [markdown]
# **Parameters** are the numbers that training changes. The smallest GPT-2 has 124,439,808. Here is
# a story that this model has never seen; we keep it for the whole lesson.

# %%
story = (
    "Once upon a time there was a curious fox named Ruby, who lived in a teapot. "
    "Every night she sang to her purple kite. "
    "Next door lived Otto, a sleepy bear who snored like thunder. "
    "One windy Sunday a seagull stole the kite. "
    "First Ruby looked under the bed and found three kings. "
    '"What colour is it?" asked Otto. "It is purple," sobbed Ruby. '
    "In the end it was up the chimney. The moon was shining on it. "
    "Nobody ever explained the three kings. "
    "And what colour was the kite? It was purple."
)
print(len(story.split()), "words")

# %% [markdown]
# ## 1. Text becomes tokens
#
# A model reads no letters. A **tokenizer** cuts text into pieces, the **tokens**, and gives each
# its number, the **id**. All that it knows are its **vocabulary**. **Predict:** is every word one
# token?

# %%
sentence = "Once upon a time there was a xylophone."
ids = tokenizer.encode(sentence)
viz.TokenizerExplorer(tokenizer, sentence, step=-1)

# %% [markdown]
# Words that are frequent in the stories are one token, with their space in front (shown as `·`).
# `xylophone` never occurs, so it falls to pieces; press *play* to see how they grow. Nothing is
# lost: decoding gives the text back.

# %%
assert tokenizer.decode(ids) == sentence
print(f"{tokenizer.vocab_size:,} tokens in the vocabulary; decoded: {tokenizer.decode(ids)}")

# %% [markdown]
# ## 2. Tokens become vectors
#
# Each id picks a row of a large table of numbers, the **embedding**. From here on a token is a
# **vector**: a list of numbers that the model has learned. **Predict:** `·a` comes twice. Has it
# the same vector both times?

# %%
vectors = model.transformer.wte(torch.tensor(ids[:7]))
print(f"{vectors.size(0)} vectors of {vectors.size(1)} numbers, here the first four:")
viz.table(vectors[:, :4], ["0", "1", "2", "3"], rows=viz.token_labels(tokenizer, ids[:7]))

# %% [markdown]
# Both `·a` have the same vector. What tells them apart, their position in the text, is added right
# after.

# %% [markdown]
# ## 3. Vectors become logits
#
# The layers turn these vectors into scores. At every position, every token of the vocabulary gets
# one: how well would it go *next*? A score is called a **logit**.

# %% [markdown]
# Every story the model has read came after a mark, the token `<|endoftext|>`. So we put it first.


# %%
def read(text):
    ids = [tokenizer.end_of_text, *tokenizer.encode(text)]  # the mark, then the text
    return torch.tensor([ids])  # a batch of one text


with torch.no_grad():  # we look and do not train: nothing is kept for learning
    logits = model(read("Once upon a time there was"))
print(f"{logits.size(1)} positions, {logits.size(2):,} logits at each")

# %% [markdown]
# ## 4. Logits become probabilities
#
# **Softmax** makes probabilities out of logits: $p_i = e^{l_i} / \sum_j e^{l_j}$. All positive,
# and together 1. The last position says what comes after the whole text.


# %%
@torch.no_grad()
def next_token(text):
    return model(read(text))[0, -1].softmax(dim=-1)


viz.plot_next_token(next_token("Once upon a time there was a"), tokenizer, top=14)
plt.show()

# %% [markdown]
# Twelve words share the bet, about 8 % each; the thirteenth has nothing. These stories are told by
# rolling dice, and this die has 14 sides: *a tiny*, *a wise*, *a tall* … **Predict:** what comes
# after *there was an*, and how likely was that *an*?

# %%
an = tokenizer.encode(" an")[0]
print(f"·an after ·was: {next_token('Once upon a time there was')[an]:.1%}")
viz.plot_next_token(next_token("Once upon a time there was an"), tokenizer, top=4)
plt.show()

# %% [markdown]
# The other two sides. 2 of 14 are 14.3 %, and the model comes close. It has never seen the dice: it
# found all of that out by reading.

# %% [markdown]
# Now cut our story off before its last word: *And what colour was the kite? It was* … **Predict:**
# which bars will you see now?

# %%
beginning = story.removesuffix(" purple.")
viz.plot_next_token(next_token(beginning), tokenizer, top=5)
plt.show()

# %% [markdown]
# One bar. The kite was called purple long before, and the model looked it up. How, you will see in
# part 7.

# %% [markdown]
# ## 5. Probabilities become text
#
# Choose a token, append it, read again: that loop is all there is to writing. What it begins with
# is the **prompt**. The simplest choice is the most likely token each time, called **greedy**.

# %%
ids = read("Once upon a time there was")
for _ in range(12):
    with torch.no_grad():
        best = model(ids)[0, -1].argmax()
    ids = torch.cat([ids, best.view(1, 1)], dim=1)
print(tokenizer.decode(ids[0, 1:].tolist()))

# %% [markdown]
# The package's `generate` does the same; `temperature=0` means greedy.

# %%
same = generate(model, read("Once upon a time there was"), 12, temperature=0)
assert torch.equal(same, ids)
print("Your loop equals generate().")

# %% [markdown]
# Greedy tells the same story for ever. So we *draw* from the probabilities instead. First the
# logits are divided by the **temperature**.

# %% [markdown]
# **Predict:** after *there was* come `·a` and `·an`. Which temperature favours `·a` more, 0.5 or
# 3?


# %%
from minigpt.sampling import next_token_distribution

with torch.no_grad():
    logits = model(read("Once upon a time there was"))[0, -1]
_, axes = plt.subplots(1, 3, figsize=(8.4, 2.6), layout="constrained")
for ax, temperature in zip(axes, [0.5, 1.0, 3.0]):
    probabilities = next_token_distribution(logits, temperature)
    viz.plot_next_token(probabilities, tokenizer, 6, f"temperature {temperature}", ax)
plt.show()
print(f"at 3, the first two: {probabilities.topk(2).values.sum():.0%}")

# %% [markdown]
# Below 1 the likely gets likelier. At 3 the two that fit keep 27 % between them; the rest is spread
# over the 1,022 other tokens of the vocabulary.


# %%
from textwrap import fill


def tell(temperature, seed=1):
    generator = torch.Generator().manual_seed(seed)
    end = tokenizer.end_of_text
    ids = generate(
        model, read("Once upon"), 120, temperature=temperature, generator=generator, stop_token=end
    )
    return fill(tokenizer.decode([i for i in ids[0].tolist() if i != end]), 90)


print(tell(temperature=1.0))

# %% [markdown]
# A new story, told by the model alone. Read it closely: do name, pronoun, thing and colour agree
# to the end? **Predict:** what does temperature 2 do to it?

# %%
print(tell(temperature=2.0))

# %% [markdown]
# It breaks, and soon. **Your turn:** change the temperature or add `seed=2`, press Shift+Enter, and
# find the point where stories break.

# %% [markdown]
# ## 6. How good is it? The loss
#
# Let the model read our story, and note its **surprise** at each token: minus the natural logarithm
# of the probability it gave to that token. Sure and right is 0; the unit is the **nat**.

# %% [markdown]
# **Predict:** at which words of the story is it surprised? And when *kite* comes the second time?

# %%
ids = read(story)
with torch.no_grad():
    log_probs = model(ids)[0, :-1].log_softmax(dim=-1)
# gather: at each position, of all tokens' numbers, the one of the token that came next
surprise = -log_probs.gather(1, ids[0, 1:, None]).squeeze(1)
viz.plot_surprise(viz.token_labels(tokenizer, ids[0, 1:]), surprise)
plt.show()

# %% [markdown]
# Peaks stand where the teller rolled dice: the names, the animals, *purple*, *kite*, *three*
# kings. When a name, the kite or its colour comes *again*, there is no peak. The model remembers.

# %% [markdown]
# The mean surprise of a model is its **loss**: per token, as papers give it, or per story, as
# here. Training is nothing but lowering it. How low can it get?

# %% [markdown]
# On real text nobody knows. But we have the dice that told these stories. So the lowest possible
# surprise is known exactly. We call it the **floor**.

# %%
from minigpt import Stories

floor = -Stories.log_prob(story)
print(f"storyteller: {surprise.sum():.1f} nats for the whole story")
print(f"floor:       {floor:.1f} nats; no model does better on average")

# %% [markdown]
# One story may be luck. Take fifty new ones. **Predict:** how far above the floor is the
# storyteller, about 1, 10 or 50 %?

# %%
from itertools import islice

stories = list(islice(Stories(seed=100), 50))


def total_surprise(text):
    ids = read(text)
    with torch.no_grad():
        log_probs = model(ids)[0, :-1].log_softmax(dim=-1)
    return -log_probs.gather(1, ids[0, 1:, None]).sum().item()


loss = sum(total_surprise(text) for text in stories) / 50
floor = -sum(Stories.log_prob(text) for text in stories) / 50
print(f"{loss:.1f} against {floor:.1f} nats per story: {loss / floor - 1:.0%} above the floor")

# %% [markdown]
# Hardly any room is left. You can train it anew, in minutes: `make storyteller`.

# %% [markdown]
# ## 7. How does it remember? Attention
#
# To say *purple* at the end, the model must look back. That is **attention**, and the parts that do
# it are its **heads**: in each, a token spreads 100 % of a look over itself and the tokens before
# it. This model has 4 layers of 4 heads.

# %% [markdown]
# The last token of our story's beginning is `·was`. **Predict:** how many of the 16 heads look from
# there to *purple*: one, half of them, or all?

# %%
from minigpt.interpret import attention_patterns

labels = viz.token_labels(tokenizer, read(beginning)[0])
patterns = attention_patterns(model, read(beginning))[:, 0]  # (layer, head, token, token)


def look(word, token=-1):  # how much of a token's look goes to a word, in %, for each head
    places = [i for i, label in enumerate(labels) if label == word]
    return (100 * patterns[:, :, token, places].sum(dim=-1)).round()


heads, layers = [f"head {i}" for i in range(4)], [f"layer {i}" for i in range(4)]
viz.table(look("·purple"), heads, rows=layers)

# %% [markdown]
# One head does it: 100 %. The fifteen others hardly look there. Here are all sixteen, to play
# with.

# %%
layer, head = divmod(int(look("·purple").argmax()), 4)
parts = ["patterns", "lines", "take out"]  # it can show more; that comes in lesson 09
marked = "<|endoftext|>" + beginning
viz.AttentionExplorer(model, tokenizer, marked, layer=layer, head=head, parts=parts)

# %% [markdown]
# Each small square is a head; the large one is the head you chose. A row is a token that looks, a
# column a token looked at. Above, the story: the framed `·was` looks at `·purple`, token 25.

# %% [markdown]
# **Your turn.** Point at a token to see where *it* looks; a click locks it, then click through the
# heads. In which does `·the` (token 47, *stole the*) look at `·kite`? In which does `·the` (token
# 97, *explained the*) look at `·three`? Then check:

# %%
for token, word in [(47, "·kite"), (97, "·three")]:
    layer, head = divmod(int(look(word, token).argmax()), 4)
    print(f"token {token} looks at {word}: layer {layer}, head {head}")

# %% [markdown]
# A pattern is a hint, not a proof. So take the head out: what it adds is set to zero. That is an
# **ablation**. **Predict:** does the model still say *purple*? Choose the head, press *Take out*,
# and read beside the button what the model now says. Then try others. The same in code:

# %%
from minigpt.interpret import ablated

rows = []
for out in ([], [(1, 0)], [(1, 2)], [(3, 0)]):
    with ablated(model, out):
        best = next_token(beginning).topk(1)
    answer = viz.token_labels(tokenizer, best.indices)[0]
    rows.append([str(out or "none"), answer, f"{best.values[0]:.0%}"])
viz.table(rows, ["taken out", "the answer", "how sure"])

# %% [markdown]
# Without layer 1, head 0 it still knows that a colour is asked, and guesses one. Without layer 1,
# head 2 it does not even say a colour. Without layer 3, head 0 nothing changes. In lesson 03 you
# build such a head yourself.

# %% [markdown]
# ## Change something
#
# **Predict:** if the kite is golden, does the answer follow? And if it is *tartan*, a word that no
# story has ever held?

# %%
rows = []
for colour in ["golden", "silver", "tartan"]:
    best = next_token(beginning.replace("purple", colour)).topk(1)
    rows.append([colour, viz.token_labels(tokenizer, best.indices)[0], f"{best.values[0]:.0%}"])
viz.table(rows, ["the kite is", "the answer", "how sure"])

# %% [markdown]
# The colours it knows it gives back. *Tartan* it has never read, and it answers another colour, and
# is fairly sure of it. Nothing in it says "I don't know".

# %% [markdown]
# Now change the story itself, at the top, and choose *Run → Run Selected Cell and All Below*.
# Whatever you break, *Kernel → Restart Kernel* mends it.

# %% [markdown]
# ## The whole machine, by hand
#
# You have seen the parts. Here they are in a row, without `model(...)`. Watch the first line: each
# *position* has a vector too, added to the token's, so that order counts.

# %%
ids = read(story)
gpt = model.transformer
with torch.no_grad():
    x = gpt.wte(ids) + gpt.wpe(torch.arange(ids.size(1)))  # tokens and positions
    for block in gpt.h:
        x = block(x)  # attention, then each token thinks for itself
    logits = model.lm_head(gpt.ln_f(x))
    assert torch.allclose(logits, model(ids), atol=1e-4)
print("By hand equals model(ids).")

# %% [markdown]
# That is GPT-2, from the first id to the last logit. The lessons open these parts one by one.

# %% [markdown]
# ## The usual mistakes
#
# **1. A space at the end of the prompt.** Tokens bring their own space along, in front.
# **Predict** what one more does.

# %%
rows = []
for prompt in (beginning, beginning + " "):
    best = next_token(prompt).topk(3).indices
    rows.append([repr(prompt[-7:]), *viz.token_labels(tokenizer, best)])
viz.table(rows, ["the prompt ends", "1st guess", "2nd", "3rd"])

# %% [markdown]
# A space by itself is another token than the one in front of a word. The model expects none here,
# and is lost.

# %% [markdown]
# **2. A text from another world.** A model knows what it has read and nothing else. It does not
# tell you so.

# %%
ids = generate(model, read("The capital of France is"), 25, temperature=0)
print(tokenizer.decode(ids[0, 1:].tolist()))

# %% [markdown]
# **3. Another model's ids.** The same text has other ids in GPT-2's vocabulary. With luck one is
# too large, and you hear of it. Without, you get nonsense.

# %%
from minigpt import Tokenizer

ids = Tokenizer.gpt2().encode("Once upon a time there was a purple kite.")
try:
    model(torch.tensor([ids]))
except ValueError as error:
    print(error)

# %% [markdown]
# ## What you have seen
#
# text → **tokens** → **vectors** → layers with **attention** → **logits** → **probabilities** →
# one token more, and again. The **loss** is the mean surprise, and here you know its floor.

# %% [markdown]
# ## Your own GPT
#
# Lessons 01 to 13 have exercises. A check tells you whether yours is right, and if not, why. What
# passes is kept in a folder `mygpt/`, and becomes your own GPT. Here is how far you are; the button
# looks again.

# %% tags=["nbval-ignore-output"]
from minigpt.course import ProgressWidget

ProgressWidget()

# %% [markdown]
# **Next:** lesson 01 turns text into numbers. From there each lesson builds one part, until in
# lesson 08 yours holds OpenAI's weights. Lessons 09 to 13 are about what such a model can do.
