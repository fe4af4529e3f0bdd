// The text, token by token, coloured by where the shown token looks, or by surprise.

// Each token's nats, and their change. The first is nobody's guess.
function surprisesOf(s) {
  const nats = [0, ...s.surprisal];
  const after = [0, ...(s.without.surprisal ?? [])];
  return { nats, changes: nats.map((x, i) => (after[i] ?? x) - x) };
}

// What colours a token: how strongly, the figure above it, and the direction of a change.
const COLOURINGS = {
  attention: ({ looks }, i) => [Math.sqrt(looks[i] ?? 0), percent(looks[i] ?? 0), ""],
  surprise: ({ surprises: { nats } }, i) => [nats[i] / 8, fixed(nats[i], 1), ""],
  change: ({ surprises: { changes } }, i) =>
    [Math.abs(changes[i]) / 2, signed(changes[i]), changes[i] > 0 ? "up" : "down"],
};

function makeText({ choose, point, lock, lockKeys }) {
  const element = make("div", "ae-text", null, "", {
    role: "listbox", "aria-label": "The text: arrow keys move, Enter locks",
  });
  element.addEventListener("pointerleave", () => point({}));
  element.addEventListener("keydown", lockKeys);
  let spans;
  let mark;

  function build({ tokens }) {
    element.replaceChildren();
    spans = tokens.map((name, row) => {
      const span = make("bdi", "ae-token xp-code", element, cut(name), { role: "option" });
      if (name.includes("⏎")) make("br", "", element);
      span.dataset.row = row;
      span.addEventListener("pointerenter", () => point({ row }));
      span.addEventListener("click", () => lock(row));
      return span;
    });
    mark = rove(element, spans, 10, (row) => choose({ row }));
  }

  function colourAll(s) {
    let room = 9; // characters since the last figure; two need four between
    spans.forEach((span, i) => {
      const [share, note, kind] = COLOURINGS[s.colouring](s, i);
      const strength = Math.min(share, 1);
      span.style.setProperty("--strength", `${Math.round(100 * strength)}%`);
      span.dataset.kind = kind;
      span.classList.toggle("ae-strong", strength > 0.53 && !kind);
      span.classList.toggle("ae-chosen", i === s.at.row);
      span.classList.toggle("xp-hatched", s.colouring === "attention" && i >= seenOf(s, s.at.row));
      span.setAttribute("aria-selected", i === s.at.row);
      const worth = strength >= 0.22 && room >= 4;
      room = (worth ? 0 : room) + span.textContent.length;
      if (worth) span.dataset.note = note;
      else delete span.dataset.note;
    });
    element.classList.toggle("ae-locked", s.locked);
    mark(s.row);
  }

  return part(element,
    [(s) => [s.tokens, s.shape], build],
    [(s) => [s.tokens, s.row, s.looks, s.locked, s.colouring, s.surprises], colourAll]);
}
