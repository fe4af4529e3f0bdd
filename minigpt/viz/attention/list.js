// The heads as a list, sorted by number or by what a detector gives them.

function makeList(ui, { choose, point, toggle }) {
  const { state } = ui;
  const element = makeBox("Heads by score", "ae-list");
  const scoredOn = ui.needsKernel(select(element, "on", [
    ["text", "this text"], ["random", "random tokens said twice"],
    ...(state.texts ? [["texts", `${state.texts} texts, the mean`]] : []),
  ], (on) => ui.kernel.ask("scores", { on }, () => {}, 0)));
  ui.failAt(element, "scores");
  const listed = make("div", "xp-scroll", element);

  const heading = (name, title) => (cell) => {
    const sorted = state.sort === name;
    const how = name in state.scores ? "descending" : "ascending";
    cell.setAttribute("aria-sort", sorted ? how : "none");
    button(cell, sorted ? `${title} ▾` : title, () => ui.set({ sort: name }));
  };

  const headCell = (i) => (cell) => {
    const spot = spotOf(state, i);
    button(cell, `${spot.layer}.${spot.head}`, () => choose(spot), {
      "aria-label": nameOf(spot).toLowerCase(), "data-index": i,
    });
    cell.parentNode.addEventListener("pointerenter", () => point(spot));
  };

  const scoreCell = (name, value) => (cell) => {
    cell.textContent = Number.isFinite(value) ? fixed(value) : "–";
    if (value >= CLEAR) make("span", "ae-badge-inline", cell, BADGES[name]);
  };

  function build({ scores, sort, shape }) {
    const names = Object.keys(scores);
    const order = [...Array(shape[0] * shape[1]).keys()];
    const by = scores[sort];
    if (by) order.sort((a, b) => (by[b] ?? -2) - (by[a] ?? -2));
    listed.replaceChildren();
    const table = tabulate(listed, "",
      ["head", ...names].map((name) => heading(name, name.split(" ")[0])),
      order.map((i) => [headCell(i), ...names.map((name) => scoreCell(name, scores[name][i]))]));
    table.addEventListener("pointerleave", () => point({}));
    table.addEventListener("keydown", ({ key, target }) => {
      if (key === "x" && target.dataset.index) toggle?.(spotOf(state, target.dataset.index));
    });
    const buttons = [...table.querySelectorAll("tbody button")];
    rove(table.tBodies[0], buttons, 1, (i) => buttons[i].click());
  }

  function mark(s) {
    for (const node of listed.querySelectorAll("tbody button")) {
      const i = Number(node.dataset.index);
      node.setAttribute("aria-pressed", i === indexOf(s, s));
      node.classList.toggle("ae-out", isOut(s, spotOf(s, i)));
    }
  }

  return part(element,
    [always, (s) => { scoredOn.value = s.scored_on; }],
    [(s) => [s.scores, s.sort, s.shape], build],
    [(s) => [s.scores, s.sort, s.shape, s.layer, s.head, s.ablated], mark]);
}
