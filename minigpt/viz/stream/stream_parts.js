// Parts that write to the residual stream, to be switched off. The state has the traits of
// StreamParts, and of this view `result`: what is shown, and `known`: whether it belongs to `off`.

const keyOf = (off) => [...off].sort((a, b) => a - b).join(",");
const flipped = (off, i) => (off.includes(i) ? off.filter((j) => j !== i) : [...off, i]);
const shown = (s) => [s.result, s.known, s.results];
const whole = (s) => s.results[""]; // with all parts on

// What can be chosen; without Python only what has been worked out before.
function switching(ui) {
  const { state: s } = ui;
  const ready = (off) => ui.kernel.live || keyOf(off) in s.results;
  const go = (off) => ui.set({ off });
  return { go, ready };
}

function makePrompt(ui) {
  const element = make("form", "xp-row");
  const text = input("text", element, "prompt", () => {}, { size: 52 });
  const read = button(element, "Read", () => {}, { type: "submit" });
  element.addEventListener("submit", (event) => {
    event.preventDefault();
    ui.kernel.ask("prompt", { prompt: text.value }, () => {}, 0);
  });
  for (const control of [text, read]) ui.needsKernel(control);
  ui.failAt(element, "prompt");
  return part(element, [({ prompt }) => [prompt], ({ prompt }) => { text.value = prompt; }]);
}

function makeButtons(ui, can) {
  const element = make("div", "xp-row");
  const named = (name) => ui.state.parts.flatMap((part, i) => (part.startsWith(name) ? [i] : []));
  const choices = [["All on", []], ["Attention off", named("attn")], ["MLPs off", named("mlp")]]
    .map(([name, off]) => [button(element, name, () => can.go(off)), off]);
  ui.failAt(element, "run");
  return part(element, [always, () => {
    for (const [node, off] of choices) node.disabled = !can.ready(off);
  }]);
}

// The result in one line, where the switches are.
function makeSentence(ui) {
  const element = make("p", "sp-said");
  return part(element, [(s) => [...shown(s), s.off], (s) => {
    const { off, parts, result, known } = s;
    const without = off.map((i) => parts[i]).join(", ");
    const before = whole(s);
    element.textContent = "";
    if (!known) {
      element.textContent = `Without ${without}: not worked out yet.`;
      return;
    }
    element.append(without ? `Without ${without}: ` : "All parts on: ");
    token(element, result.labels[0]);
    element.append(` ${percent(result.shares[0], 1)}, stream ${fixed(result.lengths.at(-1), 1)} long.`);
    if (without) {
      element.append(" With all: ");
      token(element, before.labels[0]);
      element.append(` ${percent(before.shares[0], 1)}, ${fixed(before.lengths.at(-1), 1)} long.`);
    }
    ui.say(element.textContent);
  }]);
}

// A switch for each part, the length of what it writes, and of the stream after it.
function makeSwitches(ui, can) {
  const element = make("div", "sp-parts", null, undefined, { role: "group", "aria-label": "parts" });
  for (const name of ["part", "its write", "", "the stream after it", ""]) {
    make("span", "xp-soft", element, name);
  }
  const rows = ui.state.parts.map((name, i) => {
    const box = input("checkbox", element, name, () => can.go(flipped(ui.state.off, i)));
    const [write, stream] = ["sp-write", "sp-stream"].map((look) => ({
      bar: make("span", look, make("span", "sp-track", element)),
      text: make("span", "sp-number", element),
    }));
    return { box, write, stream };
  });
  return part(element, [always, ({ off }) => rows.forEach(({ box }, i) => {
    box.checked = !off.includes(i);
    box.disabled = !can.ready(flipped(off, i));
  })], [shown, (s) => {
    const longest = 1.5 * Math.max(...whole(s).lengths, ...whole(s).writes);
    element.classList.toggle("sp-stale", !s.known);
    const fill = ({ bar, text }, length) => {
      bar.style.width = `${100 * Math.min(1, length / longest)}%`;
      text.textContent = `${fixed(length, 1)}${length > longest ? " ›" : ""}`;
    };
    rows.forEach(({ write, stream }, i) => {
      fill(write, s.result.writes[i]);
      fill(stream, s.result.lengths[i]);
    });
  }]);
}

function makeNext() {
  const element = make("section", "sp-next");
  make("h4", "xp-title", element, "Next token, from 0 to 100 %");
  const box = make("div", "sp-bars", element);
  return part(element, [shown, ({ result, known }) => {
    box.textContent = "";
    element.classList.toggle("sp-stale", !known);
    result.labels.forEach((name, i) => {
      token(box, name);
      make("span", "sp-write", make("span", "sp-track", box))
        .style.width = `${100 * result.shares[i]}%`;
      make("span", "sp-number", box, percent(result.shares[i], 1));
    });
  }]);
}

const HELP = "A part that is off writes 0 at every position, and the parts after it are computed "
  + "again from what is left: this is ablation. Lengths are those at the last position.";

function render(context) {
  const ui = start(context, "sp", "Parts that write to the residual stream");
  const can = switching(ui);
  const result = [
    follows("known", (s) => [s.off, s.results], (s) => keyOf(s.off) in s.results),
    follows("result", (s) => [s.off, s.results], (s) =>
      s.results[keyOf(s.off)] ?? ui.state.result ?? whole(s)),
  ];
  // Set by hand, in another view or from Python: what is not known is asked for, once.
  const asking = part(null, [(s) => [s.off, s.results, ui.kernel.live], (s) => {
    if (!s.known && ui.kernel.live) ui.kernel.ask("run", {}, () => {}, 0);
  }]);
  const middle = boxed("sp-middle", makeSwitches(ui, can), makeNext());
  const parts = [makePrompt(ui), makeButtons(ui, can), makeSentence(ui), middle];
  ui.root.append(make("p", "xp-soft", null, HELP), ...parts.map(({ element }) => element));
  return ui.open(...result, asking, ...parts);
}

export default { render };
