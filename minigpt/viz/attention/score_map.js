// The map of heads made by hand: the head explorer's parts, and what its patterns are made from.

const MOST_WORDS = 24;

// The words, typed with spaces between them.
function makeWords(ui) {
  const element = make("div", "xp-row");
  const typed = input("text", element, "words", (text) => {
    const words = text.split(/\s+/).filter(Boolean);
    const unknown = words.find((word) => !(word in ui.state.vectors));
    const known = Object.keys(ui.state.vectors).join(" ");
    if (unknown !== undefined) ui.fail(`${cut(unknown, 30)} has no vector; known: ${known}`, "words");
    else if (!words.length) ui.fail(`Type a word; known: ${known}`, "words");
    else if (words.length > MOST_WORDS) ui.fail(`At most ${MOST_WORDS} words.`, "words");
    else {
      ui.fail("", "words");
      ui.set({ words });
    }
  }, { spellcheck: "false", size: 44 });
  ui.failAt(element, "words");
  return part(element, [(s) => [s.words], ({ words }) => {
    if (!typed.matches(":focus")) typed.value = words.join(" ");
  }]);
}

function makeSwitches(ui) {
  const element = make("div", "xp-row");
  const { given, W_q: toAsk, heads } = ui.state;
  const loud = input("range", element, "loudness of the queries", (value) =>
    ui.set({ loudness: Number(value) }), { min: 0, max: 2 * given, step: given / 32 });
  const number = make("output", "", element);
  const scaled = input("checkbox", element, `divide scores by √${toAsk[0].length / heads}`,
    (on) => ui.set({ scaled: on }));
  const masked = input("checkbox", element, "causal mask", (on) => ui.set({ masked: on }));
  button(element, "As it was", () => ui.set({ loudness: given, scaled: true, masked: true }));
  return part(element, [always, (s) => {
    loud.value = s.loudness;
    number.textContent = fixed(s.loudness, 1);
    scaled.checked = s.scaled;
    masked.checked = s.masked;
  }]);
}

// What the head explorer has of a model, and words have not.
const STILL = {
  held: [0, 1], hide_first: false, parts: ["patterns", "lines"], colouring: "attention",
  surprisal: [], surprises: {}, scores: {}, ablated: [], sayScore,
};

function render(context) {
  const ui = start(context, "ae attention-map", "Attention made by hand");
  const single = ui.state.heads === 1;
  Object.assign(ui.state, STILL);
  const can = choosing(ui);
  const text = makeText(can);
  text.element.classList.add("ae-spread");
  const top = [makeWords(ui), makeSwitches(ui)];
  const middle = [makeMap(ui, can, "One head"), makeLines(ui, can), makeReadout(ui)];
  if (!single) middle.unshift(makeGrid(ui, can));
  const box = make("div", "ae-middle");
  box.append(...middle.map(({ element }) => element));
  ui.root.append(...top.map(({ element }) => element), text.element, box);
  const making = part(null,
    [(s) => [s.words, s.loudness, s.scaled, s.masked], (s) => Object.assign(s, made(s))]);
  const named = follows("only", (s) => [s.at.head], ({ at }) =>
    (single ? "The pattern" : `Head ${at.head}`));
  return ui.open(making, ...makeView(ui), named, ...top, text, ...middle);
}

export default { render };
