// All heads as small pictures, a layer a row: here a head is chosen.

const BADGES = { "previous token": "P", induction: "I", duplicate: "D", "first token": "F" };
const CLEAR = 0.4; // as in interpret/heads.py

const clearScores = ({ scores }, i) =>
  Object.keys(scores).filter((name) => (scores[name][i] ?? 0) >= CLEAR);

function makeGrid({ state }, { choose, point, toggle }) {
  const element = makeBox("All heads", "ae-grid-box");
  const grid = make("div", "ae-grid", element, "", {
    role: "radiogroup",
    "aria-label": `Layer and head: arrow keys choose${toggle ? ", x takes a head out" : ""}`,
  });
  grid.addEventListener("pointerleave", () => point({}));
  grid.addEventListener("keydown", (event) => {
    if (event.key === "x") toggle?.(state);
  });
  const atlas = make("canvas", "xp-hatched"); // one picture: to compose hundreds takes longer
  let heads;
  let mark;

  function build(s) {
    const [layers, count] = s.shape;
    const pixels = clamp(Math.floor(276 / count) - 2, 10, 70);
    grid.style.gridTemplate = `auto repeat(${layers}, auto) / auto repeat(${count}, auto)`;
    grid.style.setProperty("--pixels", `${pixels}px`);
    grid.replaceChildren(atlas, make("span", "xp-soft"));
    for (let head = 0; head < count; head++) make("span", "xp-soft", grid, head);
    heads = Array.from({ length: layers * count }, (_, i) => {
      if (i % count === 0) make("span", "xp-soft", grid, i / count);
      return makeHead(i);
    });
    mark = rove(grid, heads, count, (i) => choose(spotOf(state, i)));
  }

  function makeHead(i) {
    const cell = button(grid, "", () => choose(spotOf(state, i)), { role: "radio" });
    cell.className = "ae-head";
    make("span", "ae-badge", cell, "", { "aria-hidden": "true" });
    cell.addEventListener("pointerenter", () => point(spotOf(state, i)));
    return cell;
  }

  function paintAll(s) {
    const { side } = s;
    const [layers, count, T] = s.shape;
    const all = bytesOf(s.thumbnails);
    atlas.style.imageRendering = side < 30 ? "pixelated" : "auto";
    [atlas.width, atlas.height] = [count * side, layers * side];
    heads.forEach((_, i) => {
      const start = ((s.hide_first ? layers * count : 0) + i) * side * side;
      const cell = (row, column) => all[start + row * side + column];
      paint(atlas, side, cell, side,
        { open: s.open, hideFirst: T <= side && s.hide_first, ...spotOf(s, i) });
    });
  }

  function nameAll(s) {
    heads.forEach((cell, i) => {
      const names = clearScores(s, i);
      const out = isOut(s, spotOf(s, i));
      cell.lastChild.textContent = names.map((name) => BADGES[name]).join("");
      cell.classList.toggle("ae-out", out);
      cell.title = [nameOf(spotOf(s, i)).toLowerCase(), ...names, ...(out ? ["taken out"] : [])]
        .join(", ");
      cell.setAttribute("aria-label", cell.title);
    });
  }

  function markChosen(s) {
    heads.forEach((cell, i) => {
      cell.setAttribute("aria-checked", i === indexOf(s, s));
      cell.classList.toggle("ae-hovered", i === indexOf(s, s.at));
    });
    mark(indexOf(s, s));
  }

  return part(element,
    [({ shape }) => shape.slice(0, 2), build],
    [(s) => [s.thumbnails, s.shape, s.hide_first], paintAll],
    [(s) => [s.scores, s.ablated, s.shape], nameAll],
    [(s) => [s.at.layer, s.at.head, s.layer, s.head, s.shape], markChosen]);
}
