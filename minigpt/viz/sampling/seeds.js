// What several seeds draw from the same place, side by side.

function makeSeeds(ui, { ask }) {
  const element = make("div", "sx-seeds");
  return part(element, [(s) => [s.compared], ({ compared: { drawn, settings } }) => {
    element.replaceChildren();
    element.hidden = !drawn;
    if (!drawn) return;
    const rows = drawn.map(({ seed, text, nats }) => [
      (cell) => ui.needsKernel(button(cell, `take ${seed}`, () => ask("take", { seed }))),
      (cell) => make("bdi", "xp-code sx-drawn", cell, cut(text, 600)),
      fixed(nats),
    ]);
    tabulate(element, `The same place, ${settings}`, ["seed", "what it draws", "nats a token"], rows);
    ui.say(`${drawn.length} seeds: ${drawn.map(({ text }) => cut(text, 30)).join("; ")}`);
  }]);
}
