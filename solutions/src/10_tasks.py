# %% [markdown]
# # Exercises 10: tasks
#
# You measure text and tasks, mend a perplexity that counts twice, put prompts together, catch a
# summary that makes things up, and give a model a task with few new numbers; then you say which
# text you would rather read. About two hours and three quarters, after lesson 10.
#
# Write in the cells that say so, then run the check below each. Stuck? Each exercise has three
# hints, and every exercise can be done without the others.

# %%
import math
import re

import torch

from minigpt.course import check

# %% [markdown] exercise="per_token_word_byte"
# ## Per token, per word, per byte
#
# Write `per_token_word_byte(surprises, text)`: three measures of one model on one text.
#
# | | |
# | --- | --- |
# | `surprises` | a list of tensors `(n,)`: of each window, its tokens' surprises in nats |
# | `text` | the text that the tokens of all windows spell, each scored once |
# | result | `(perplexity per token, perplexity per word, bits per byte)`, three floats |
#
# - All tokens count the same, in whichever window they stand. Windows differ in length.
# - The perplexity per word is the exponential of the text's whole surprise, shared out among its
#   words. A word is what `text.split()` finds.
# - Bytes are those of the text's UTF-8. A bit is ln 2 nats.
#
# For example, the surprises `[[1.0, 2.0]]` and the text `Good night` give 4.48, 4.48 and 0.433.


# %% solution="per_token_word_byte"
def per_token_word_byte(surprises, text):
    """Return the perplexity per token and per word, and the bits per byte."""
    ### BEGIN SOLUTION
    nats = sum(window.sum().item() for window in surprises)
    tokens = sum(len(window) for window in surprises)
    words = len(text.split())
    n_bytes = len(text.encode("utf-8"))
    return math.exp(nats / tokens), math.exp(nats / words), nats / math.log(2) / n_bytes
    ### END SOLUTION


# %% check="per_token_word_byte"
check("per_token_word_byte", per_token_word_byte)

# %% [markdown] exercise="strided_perplexity"
# ## Mend: windows that overlap
#
# A long text is read in windows of `block_size` tokens, the last one as long as what is left
# (unlike the lesson's, which is moved back). If they overlap, a token near a window's start is
# scored by the window before, where it has more context. `strided_perplexity(model, idx, stride)`
# runs without an error, but **three things are wrong**. Mend them. What it should do:
#
# - A window begins at places 0, `stride`, 2 `stride`, ... The last ones may be shorter.
# - Every token but the first is scored exactly once: by the first window that holds it. (The
#   stride is less than `block_size`, so that window always holds a token before it.)
# - The first token of the text is not predicted by anything, and does not count.
# - The result is the perplexity per token that was scored, a float.
#
# `idx` is `(T,)` int64 with at least two tokens, perhaps fewer than a window. The model is in
# evaluation mode already. For example, ten tokens, windows of 6 and a stride of 4: the first window
# scores places 1 to 5, the second 6 to 9.


# %% solution="strided_perplexity"
### BEGIN BROKEN
# @torch.no_grad()
# def strided_perplexity(model, idx, stride):
#     """Return the perplexity of a long text, read in windows that overlap."""
#     size, total = model.config.block_size, 0.0
#     for start in range(0, len(idx) - size + 1, stride):
#         window = idx[start : start + size]
#         log_p = model(window[None])[0, :-1].log_softmax(dim=-1)
#         nats = -log_p.gather(-1, window[1:, None])[:, 0]  # of places start + 1, start + 2, ...
#         total += nats.sum().item()
#     return math.exp(total / len(idx))
### END BROKEN
### BEGIN SOLUTION
@torch.no_grad()
def strided_perplexity(model, idx, stride):
    """Return the perplexity of a long text, read in windows that overlap."""
    size, total, done = model.config.block_size, 0.0, 1
    for start in range(0, len(idx) - 1, stride):  # 1. short windows, too
        window = idx[start : start + size]
        log_p = model(window[None])[0, :-1].log_softmax(dim=-1)
        nats = -log_p.gather(-1, window[1:, None])[:, 0]  # of places start + 1, start + 2, ...
        total += nats[done - start - 1 :].sum().item()  # 2. places before `done` have been scored
        done = start + len(window)
    return math.exp(total / (len(idx) - 1))  # 3. nothing predicts the first


### END SOLUTION


# %% check="strided_perplexity"
check("strided_perplexity", strided_perplexity)

# %% [markdown] exercise="last_words_right"
# ## The whole last word
#
# LAMBADA asks for the last word of a passage. Write `last_words_right(logits, idx, n_tokens)`: for
# each text, would a model that always takes the likeliest token say its last word?
#
# | | |
# | --- | --- |
# | `logits` | `(B, T, V)`: what a model gave for `idx` |
# | `idx` | `(B, T)` int64: the texts, last word included; all end at the last place |
# | `n_tokens` | `(B,)` int64: of how many tokens each last word is made, from 1 to T - 1 |
# | result | `(B,)` bool |
#
# A word of several tokens is right only if each of them is the likeliest at its turn. No two
# logits that matter are equal.
#
# For example, the last word is *bridge*, two tokens. If the model is right about the first and
# wrong about the second, the result is False, and the other way round, too.


# %% solution="last_words_right"
def last_words_right(logits, idx, n_tokens):
    """Say which texts end as the model would end them: (B, T, V), (B, T), (B,) -> (B,)."""
    ### BEGIN SOLUTION
    T = idx.size(1)
    right = logits[:, :-1].argmax(dim=-1) == idx[:, 1:]  # (B, T - 1): of places 1, 2, ...
    inside = torch.arange(1, T) >= T - n_tokens[:, None]  # (B, T - 1): does it belong to the word?
    return (right | ~inside).all(dim=-1)
    ### END SOLUTION


# %% check="last_words_right"
check("last_words_right", last_words_right)

# %% [markdown] exercise="fill_the_gap"
# ## A gap in the middle
#
# The Children's Book Test takes a word out of a sentence and offers candidates.
# Write `fill_the_gap(model, before, candidates, after, per_token)`: one score for each candidate,
# the log-probability of the candidate **and of all that follows**, given what stands before.
#
# | | |
# | --- | --- |
# | `model` | `model(x)` gives logits `(B, T, V)`; it is in evaluation mode already |
# | `before` | `(n,)` int64, at least one token |
# | `candidates` | a list of tensors `(k,)` int64 of at least one token, of different lengths |
# | `after` | `(m,)` int64, perhaps of no token |
# | `per_token` | False: add the log-probabilities up. True: their mean, over the tokens scored |
# | result | `(len(candidates),)` float32; more is better |
#
# Everything fits into the model's window. `@torch.no_grad()` stands above already, so PyTorch keeps
# no record for gradients.
#
# For example, if the model gave each of V tokens the same chance, a candidate of 2 tokens with 3
# tokens behind it would have the score `-5 ln V`, or `-ln V` per token.


# %% solution="fill_the_gap"
@torch.no_grad()
def fill_the_gap(model, before, candidates, after, per_token):
    """Score each candidate by itself and what follows it: -> (len(candidates),)."""
    ### BEGIN SOLUTION
    scores = []
    for candidate in candidates:
        told = torch.cat([candidate, after])
        idx = torch.cat([before, told])
        log_p = model(idx[None])[0].log_softmax(dim=-1)  # (n + k + m, V)
        predictions = log_p[len(before) - 1 : -1]  # each from the place before
        each = predictions.gather(-1, told[:, None])
        scores.append(each.mean() if per_token else each.sum())
    return torch.stack(scores)
    ### END SOLUTION


# %% check="fill_the_gap"
check("fill_the_gap", fill_the_gap)

# %% [markdown] exercise="few_shot_prompt"
# ## Examples that fit
#
# Write `few_shot_prompt(examples, question, arrow, newline, block_size, new_tokens)`: a prompt with
# as many examples as the window holds. All texts are lists of token ids already.
#
# | | |
# | --- | --- |
# | `examples` | a list of pairs `(question, answer)`, perhaps empty |
# | `question` | the question that the model is to answer |
# | `arrow`, `newline` | what stands between a question and its answer, and behind an answer |
# | `block_size` | tokens that the model's window holds |
# | `new_tokens` | how many of these the answer will take |
# | result | a list of ids |
#
# - An example is its question, arrow, answer, newline. Then come the question and an arrow, and
#   nothing more: the answer is the model's.
# - The prompt and the new tokens together have at most `block_size` tokens. Of the examples, the
#   **last k** are used, in their order and whole, for the largest k that fits. The question always
#   fits.
# - The lists you are given stay as they are.
#
# For example, with arrow `[0]` and newline `[9]`, the example `([5], [6])` and the question `[7]`
# become `[5, 0, 6, 9, 7, 0]`.


# %% solution="few_shot_prompt"
def few_shot_prompt(examples, question, arrow, newline, block_size, new_tokens):
    """Put the last examples that fit before the question: a list of ids."""
    ### BEGIN SOLUTION
    prompt = question + arrow
    for asked, answer in reversed(examples):
        longer = asked + arrow + answer + newline + prompt
        if len(longer) + new_tokens > block_size:
            break
        prompt = longer
    return prompt
    ### END SOLUTION


# %% check="few_shot_prompt"
check("few_shot_prompt", few_shot_prompt)

# %% [markdown] exercise="accuracy_by_examples"
# ## More examples, more right?
#
# The same n questions were asked with 0, 1, 2, ... examples in the prompt. Write
# `accuracy_by_examples(right, z)`: the accuracy for each number of examples, with its interval.
#
# | | |
# | --- | --- |
# | `right` | `(n, K)` bool: was question i right with k examples? |
# | `z` | half of the interval's width in standard errors: 1.96 for 95 % |
# | result | `(K, 3)` float32: accuracy, low end, high end |
#
# The ends are Wilson's (1927). With the accuracy p,
#
# $$\frac{p + \frac{z^2}{2n} \pm z\sqrt{\frac{p(1-p)}{n} + \frac{z^2}{4n^2}}}{1 + \frac{z^2}{n}}$$
#
# For example, two of four right and z = 2 give 0.5, 0.146 and 0.854.


# %% solution="accuracy_by_examples"
def accuracy_by_examples(right, z):
    """Return the accuracy and its interval for each number of examples: (n, K) -> (K, 3)."""
    ### BEGIN SOLUTION
    n = right.size(0)
    p = right.float().mean(dim=0)  # (K,)
    centre = p + z**2 / (2 * n)
    half = z * (p * (1 - p) / n + z**2 / (4 * n**2)).sqrt()
    scale = 1 + z**2 / n
    return torch.stack([p, (centre - half) / scale, (centre + half) / scale], dim=-1)
    ### END SOLUTION


# %% check="accuracy_by_examples"
check("accuracy_by_examples", accuracy_by_examples)

# %% [markdown] exercise="rouge_of_two"
# ## The false summary wins
#
# Of a story, the reference says:
#
# > Leo lost the grey wagon; it was under the stairs.
#
# Two models sum it up, the first one wrongly:
#
# > Leo lost the grey wagon, and in the end it was under the old bridge.
#
# > The grey wagon that Leo could not find lay beneath the steps.
#
# Work out the ROUGE-1 F1 of each: single words, without capitals and marks. Precision P is the
# share of the summary's words that match, recall R that of the reference's; F1 is 2PR / (P + R). A
# word matches at most as often as it stands in the reference.
#
# Set `rouge_of_two` to a list of two numbers between 0 and 1, the false summary's first; three
# digits after the point will do.

# %% solution="rouge_of_two"
rouge_of_two = None
### BEGIN SOLUTION
# leo, lost, the, the, grey, wagon, it, was, under: 9 of 15 words, and 9 of the reference's 10.
# the, the, grey, wagon, leo: 5 of 12 words, and 5 of the reference's 10.
rouge_of_two = [2 * 9 / (15 + 10), 2 * 5 / (12 + 10)]
### END SOLUTION

# %% check="rouge_of_two"
check("rouge_of_two", rouge_of_two)

# %% [markdown] exercise="unsupported"
# ## What the summary makes up
#
# ROUGE does not notice a false fact. Write `unsupported(summary, story, facts)`: which facts does
# the summary name that the story does not?
#
# | | |
# | --- | --- |
# | `summary`, `story` | two texts |
# | `facts` | a list of names, colours, things and places: `Leo`, `grey`, `under the stairs` |
# | result | a list: those of `facts`, as they are written there and in that order |
#
# - A text names a fact if its words stand there one after the other, as **whole** words: *tired*
#   does not name *red*. All words are made of the letters a to z.
# - Capitals do not matter, nor what stands between two words: a space, a new line, a mark.
#
# For example, the story `Leo lost a grey kite.` and the summary `Grey Leo lost a drum.` give
# `["drum"]`, if *Leo*, *grey*, *kite* and *drum* are the facts.
#
# (This measure is blunt: that Leo himself should be grey goes unnoticed.)


# %% solution="unsupported"
def unsupported(summary, story, facts):
    """List the facts that the summary names and the story does not."""

    ### BEGIN SOLUTION
    def even(text):
        return " " + " ".join(re.findall("[a-z]+", text.lower())) + " "

    return [fact for fact in facts if even(fact) in even(summary) and even(fact) not in even(story)]
    ### END SOLUTION


# %% check="unsupported"
check("unsupported", unsupported)

# %% [markdown] exercise="target_loss"
# ## Learn the answer, not the question
#
# To learn a task, a model reads examples: a prompt and its target, one text. Write
# `target_loss(logits, idx, prompt_lengths, lengths)`: the mean surprise at the target tokens.
#
# | | |
# | --- | --- |
# | `logits` | `(B, T, V)` float32 or float64: what a model gave for `idx` |
# | `idx` | `(B, T)` int64: prompt, target, and padding up to the longest text |
# | `prompt_lengths` | `(B,)` int64: tokens in the prompt, at least 1 |
# | `lengths` | `(B,)` int64: tokens in prompt and target together; every target has at least 1 |
# | result | one number in nats, a tensor without axes; gradients flow to `logits` |
#
# - The logits at a place predict the token at the next one.
# - Neither prompt nor padding counts. The padding's token may stand in texts as well, so go by the
#   lengths.
# - All target tokens of the batch count the same.
#
# For example, with a prompt of 2 tokens and a length of 4, the tokens at places 2 and 3 count.


# %% solution="target_loss"
def target_loss(logits, idx, prompt_lengths, lengths):
    """Return the mean surprise at the target tokens: (B, T, V), (B, T), (B,), (B,) -> ()."""
    ### BEGIN SOLUTION
    log_p = logits[:, :-1].log_softmax(dim=-1)  # (B, T - 1, V)
    nats = -log_p.gather(-1, idx[:, 1:, None])[..., 0]  # (B, T - 1): at places 1, 2, ...
    places = torch.arange(1, idx.size(1))
    counts = (places >= prompt_lengths[:, None]) & (places < lengths[:, None])
    return nats[counts].mean()
    ### END SOLUTION


# %% check="target_loss"
check("target_loss", target_loss)

# %% [markdown] exercise="last_real"
# ## Where a text ends
#
# A classifier reads GPT-2's stream at the last token of a text, which has seen all others. GPT-2
# has no token for padding, so its end mark is used. And a story *begins* with that mark.
#
# Write `last_real(stream, idx, mark)`: what the classifier reads of each text.
#
# | | |
# | --- | --- |
# | `stream` | `(B, T, C)` float32 or float64 |
# | `idx` | `(B, T)` int64: each row is one mark, then tokens, then marks up to T, perhaps none |
# | `mark` | the mark's id |
# | result | `(B, C)`: the stream at each text's last token that is no mark |
#
# Every text has at least one token, and no mark between its tokens. Gradients flow to `stream`.
#
# For example, the mark is 9 and a row of `idx` is `[9, 4, 5, 9, 9]`: its result is the stream at
# place 2.


# %% solution="last_real"
def last_real(stream, idx, mark):
    """Return the stream at each text's last token: (B, T, C), (B, T) -> (B, C)."""
    ### BEGIN SOLUTION
    tokens = (idx != mark).sum(dim=1)  # (B,): with the mark in front, this is the last one's place
    return stream[torch.arange(len(idx)), tokens]
    ### END SOLUTION


# %% check="last_real"
check("last_real", last_real)

# %% [markdown] exercise="LoRAQueryValue"
# ## A small addition to query and value
#
# LoRA (Hu et al. 2021) leaves a layer as it is and learns an addition of low rank. Often query and
# value get one, and the key none. In GPT-2 all three come out of one layer, `c_attn`.
#
# Write a class `LoRAQueryValue(c_attn, rank, alpha)`, an `nn.Module`:
#
# | | |
# | --- | --- |
# | `c_attn` | an `nn.Linear` from C to 3C channels: query, key, value; perhaps without a bias |
# | `rank`, `alpha` | a whole number of at least 1; a number above 0 |
# | `forward(x)` | `(..., C)` -> `(..., 3C)`, float32 |
#
# - It keeps the layer it is given as `c_attn`, frozen: none of its parameters asks for a gradient.
# - Its own parameters are `A_q` and `A_v`, `(rank, C)`, and `B_q` and `B_v`, `(C, rank)`. Each A
#   starts at random numbers, each B at 0.
# - Added to the query is alpha / rank times `x`, taken through `A_q` and then `B_q`. To the value
#   the same with its own pair. The key stays.
#
# For example, at the start the result is that of `c_attn` alone.


# %% solution="LoRAQueryValue"
class LoRAQueryValue(torch.nn.Module):
    """GPT-2's joined layer, frozen, with an addition of low rank to query and value."""

    def __init__(self, c_attn, rank, alpha):
        super().__init__()
        ### BEGIN SOLUTION
        C = c_attn.in_features
        self.c_attn = c_attn.requires_grad_(False)
        self.A_q = torch.nn.Parameter(torch.randn(rank, C))
        self.B_q = torch.nn.Parameter(torch.zeros(C, rank))
        self.A_v = torch.nn.Parameter(torch.randn(rank, C))
        self.B_v = torch.nn.Parameter(torch.zeros(C, rank))
        self.scale = alpha / rank
        ### END SOLUTION

    def forward(self, x):
        """Add to query and value: (..., C) -> (..., 3C)."""
        ### BEGIN SOLUTION
        q, k, v = self.c_attn(x).chunk(3, dim=-1)  # (..., C) each
        q = q + self.scale * (x @ self.A_q.T @ self.B_q.T)
        v = v + self.scale * (x @ self.A_v.T @ self.B_v.T)
        return torch.cat([q, k, v], dim=-1)
        ### END SOLUTION


# %% check="LoRAQueryValue"
check("LoRAQueryValue", LoRAQueryValue)

# %% [markdown] exercise="merge_adapters"
# ## Into the file, and gone
#
# A trained addition can be merged into the weight, and then costs nothing more. Write
# `merge_adapters(tensor, adapters)` for a tensor as GPT-2's *file* stores it.
#
# | | |
# | --- | --- |
# | `tensor` | `(n_in, n_out)`, float32 or float64: on its side, as lesson 08 found it |
# | `adapters` | a list of `(A, B, alpha)`, perhaps empty: A `(rank, n_in)`, B `(n_out, rank)` |
# | result | the tensor for the file with all adapters merged, `(n_in, n_out)` |
#
# - An adapter adds alpha / rank times `x`, taken through A and then B. Its rank is its own.
# - The merged weight gives for any `x` what the weight and its adapters give beside each other.
# - `tensor` stays as it is. It may be square.
#
# For example, with `tensor = [[1, 2, 3]]`, A `[[1]]`, B `[[1], [0], [2]]` and alpha 10, the result
# is `[[11, 2, 23]]`.


# %% solution="merge_adapters"
def merge_adapters(tensor, adapters):
    """Add adapters to a tensor of GPT-2's file: (n_in, n_out) -> (n_in, n_out)."""
    ### BEGIN SOLUTION
    for A, B, alpha in adapters:
        tensor = tensor + alpha / len(A) * (B @ A).T
    return tensor
    ### END SOLUTION


# %% check="merge_adapters"
check("merge_adapters", merge_adapters)

# %% [markdown] exercise="trained_parameters"
# ## How little learns
#
# A GPT-2 learns to sort texts into classes. Write `trained_parameters(*, n_layer, n_embd, rank,
# classes)`: how many parameters learn, a whole number.
#
# - In each of `n_layer` layers, query and value have an addition of low rank each, as above.
# - On top is a new head, an `nn.Linear` from `n_embd` channels to `classes`, with a bias.
# - Everything else is frozen.
#
# For example, 1 layer, 4 channels, rank 1 and 2 classes make 26.


# %% solution="trained_parameters"
def trained_parameters(*, n_layer, n_embd, rank, classes):
    """Count the parameters that learn."""
    ### BEGIN SOLUTION
    pair = 2 * rank * n_embd  # A and B
    return 2 * n_layer * pair + classes * (n_embd + 1)
    ### END SOLUTION


# %% check="trained_parameters"
check("trained_parameters", trained_parameters)

# %% [markdown] exercise="which_summary"
# ## Which would you rather read?
#
# A story tells how Leo's grey wagon was lost and found under the stairs. The reference says *Leo
# lost the grey wagon; it was under the stairs.* Two models sum the story up:
#
# | | | BLEU | ROUGE-1 | ROUGE-2 |
# | --- | --- | --- | --- | --- |
# | A | Leo lost the grey drum; it was under the bridge. | 54.5 | 0.80 | 0.67 |
# | B | The wagon that Leo could not find was beneath the steps. | 5.1 | 0.48 | 0.00 |
#
# Which one do you prefer, and why do the scores disagree? Answer in four to eight sentences. A full
# answer says
#
# - which summary you would rather be given, and what makes it better (one point),
# - what BLEU and ROUGE count, and how that made A win (one point),
# - what kind of measure would have noticed, and how you would ask people so that their preference
#   can be trusted (one point).
#
# Your teacher marks this one. If you have none, mark it yourself: the steps are below.

# %% [markdown] written="which_summary"
# ### BEGIN SOLUTION
# ### END SOLUTION
