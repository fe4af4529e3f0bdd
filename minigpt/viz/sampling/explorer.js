// The sampling explorer: its parts stand before this file, in one module.

// What can be done. `point(place)` says which of the next tokens is pointed at, or null; `pick`
// chooses one and returns whether that could be asked for; `go` stands at another node of the tree.
function sampling(ui) {
  const { kernel, state } = ui;
  const can = {};
  can.ask = (kind, payload, delay = 0) =>
    kernel.ask(kind, payload, () => ui.keep({ answer: payload }), delay);
  can.point = (place) => { if (state.over !== place) ui.keep({ over: place }); };
  can.pick = (place) => {
    if (!kernel.live || kernel.busy("prompt")) return false;
    can.ask("pick", { node: state.current, token: state.next.order[place] });
    return true;
  };
  can.go = (node) => { if (kernel.live) can.ask("go", { node }); };
  return can;
}

function factsOf({ kept, V, mass, before, after }) {
  const equal = (nats) => fixed(Math.exp(nats), 1);
  return [
    ["kept", `${count(kept)} of ${count(V)} tokens`],
    ["their probability", percent(mass, 1)],
    ["entropy", `${fixed(after)} nats; ${fixed(before)} before the filters`],
    ["as many as", `${equal(after)} equally likely tokens; ${equal(before)} before`],
  ];
}

function makeFacts() {
  const element = make("dl", "sx-facts");
  return part(element, [(s) => [s.next], ({ next }) => {
    element.textContent = "";
    for (const [name, value] of factsOf(next)) {
      make("dt", "", element, name);
      make("dd", "", element, value);
    }
  }]);
}

// What screen readers say. Of what changed at once the last is heard: after an answer the text,
// for it has other news than what is kept.
const makeSpeech = (ui) => part(null,
  [(s) => [s.next], ({ next }) => {
    const [[, kept], [, mass], [, entropy]] = factsOf(next);
    ui.say(`Kept ${kept}, ${mass} of the probability. Entropy ${entropy}.`);
  }],
  [(s) => [s.answer], ({ answer, text, next }) => {
    const end = text.length > 200 ? `…${text.slice(-200)}` : text;
    if (answer) ui.say(`${end} Next: ${next.nameAt(0)}`);
  }],
  [(s) => [s.over], ({ over, next }) => {
    if (over === null) return;
    const before = percent(next.probabilities[over], 1);
    const state = over < next.kept ? `drawn with ${percent(next.drawn(over), 1)}` : "cut";
    ui.say(`${next.nameAt(over)}, rank ${over + 1}: ${before} before the filters, ${state}.`);
  }]);

function render(context) {
  const ui = start(context, "sampling", "Sampling explorer");
  const can = sampling(ui);
  const parts = [
    makePrompt(ui, can), makeControls(ui),
    boxed("sx-main", makeNext(ui, can), boxed("sx-side", makeCuts(), makeFacts())),
    makeActions(ui, can), makeSeeds(ui, can), makeTree(ui, can),
  ];
  ui.root.append(...parts.map(({ element }) => element));
  return ui.open(...nextToken(), ...parts, makeSpeech(ui));
}

export default { render };
