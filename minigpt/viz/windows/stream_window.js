// A window over a stream of tokens. The state has the traits of StreamWindow.

const lastStart = (s) => s.ids.length - s.context_length - 1;
const isMark = (s, place) => s.marks.includes(place);
// The first position of the window that reads beyond a mark between documents.
const crossingOf = (s) =>
  s.marks.map((place) => place - s.start).find((t) => t > 0 && t < s.context_length);
const read = ({ tokens, start, context_length, marks }) => [tokens, start, context_length, marks];

// What can be done: nothing leads to a window that does not fit.
function moving(ui) {
  const { state: s } = ui;
  const to = (start) => ui.set({ start: clamp(start, 0, lastStart(s)) });
  return {
    to,
    stretch(text) {
      const length = clamp(Math.round(Number(text)), 1, s.longest);
      ui.set({ context_length: length, start: Math.min(s.start, s.ids.length - length - 1) });
    },
  };
}

function makeControls(ui, can) {
  const element = make("div", "xp-row");
  const start = input("range", element, "window starts at", (x) => can.to(Number(x)), { min: 0 });
  const where = make("output", "sw-where", element);
  button(element, "Last that fits", () => can.to(lastStart(ui.state)));
  const length = input("number", element, "context length T", (text) => {
    if (text !== "") can.stretch(text);
  }, { min: 1, step: 1 });
  length.addEventListener("blur", ui.redraw); // what was typed may have been out of range
  return part(element, [read, (s) => {
    start.max = lastStart(s);
    start.value = s.start;
    start.setAttribute("aria-valuetext", `${s.start}, token ${s.tokens[s.start]}`);
    where.textContent = `${s.start} of 0 to ${lastStart(s)}`;
    length.max = s.longest;
  }], [always, (s) => {
    if (!length.matches(":focus")) length.value = s.context_length;
  }]);
}

// The whole stream; the window is dragged, or called by a click to another token.
function makeStream(can, s) {
  const element = make("div", "sw-stream", null, undefined, { role: "img" });
  let boxes = [];
  let grabbed = null; // how far behind the window's start
  const placeOf = (node) => boxes.indexOf(node?.closest?.(".sw-token"));
  element.addEventListener("pointerdown", (event) => {
    const place = placeOf(event.target);
    if (place < 0 || event.button) return;
    event.preventDefault(); // no text is selected
    const within = place - s.start;
    grabbed = within >= 0 && within < s.context_length ? within : 0;
    element.setPointerCapture(event.pointerId);
    can.to(place - grabbed);
  });
  element.addEventListener("pointermove", ({ clientX, clientY }) => {
    if (grabbed === null) return;
    const place = placeOf(element.getRootNode().elementFromPoint(clientX, clientY));
    if (place >= 0) can.to(place - grabbed);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, () => { grabbed = null; });
  }
  return part(element, [({ tokens }) => [tokens], ({ tokens }) => {
    boxes = tokens.map((name, place) =>
      make("bdi", "sw-token", null, cut(name, 40), { title: `place ${place}` }));
    element.replaceChildren(...boxes);
  }], [read, (state) => {
    boxes.forEach((box, place) => {
      const t = place - state.start;
      box.classList.toggle("sw-x", t >= 0 && t < state.context_length);
      box.classList.toggle("sw-y", t === state.context_length);
      box.classList.toggle("sw-mark", isMark(state, place));
      box.classList.toggle("sw-last", place === lastStart(state));
    });
    element.setAttribute("aria-label", `${boxes.length} tokens; the window begins at place `
      + `${state.start}. Move it with the slider above`);
    keepInSight(element, boxes[state.start], boxes[state.start + state.context_length]);
  }]);
}

function keepInSight(box, first, last) {
  const top = first.offsetTop - 8;
  const bottom = last.offsetTop + last.offsetHeight + 8;
  if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight;
  if (top < box.scrollTop) box.scrollTop = top;
}

// What the marks in the stream mean, and whether this window is the last.
function makeLegend() {
  const element = make("p", "xp-soft sw-legend");
  return part(element, [read, (s) => {
    const [N, T, last] = [s.ids.length, s.context_length, lastStart(s)];
    element.textContent = "";
    element.append(
      make("span", "sw-token sw-x", null, "x"), " inputs. ",
      make("span", "sw-token sw-y", null, "y"), " the last target. ",
      ...(s.marks.length
        ? [make("span", "sw-token sw-mark", null, "‖"), " the mark between documents. "] : []),
      `▾ the last start that fits: N − T − 1 = ${N} − ${T} − 1 = ${last}, because a window needs `
        + `T + 1 = ${T + 1} tokens. So there are N − T = ${N - T} starts.`,
    );
  }]);
}

// Inputs and targets, each at its place: the targets are the same stream, one to the right.
function makeShift() {
  const element = make("div", "sw-shift", null, undefined, { "aria-hidden": "true" });
  const put = (row, column, className, text) => {
    const cell = make("bdi", className, element, cut(text, 24), { title: cut(text, 400) });
    cell.style.gridArea = `${row} / ${column}`;
  };
  return part(element, [read, (s) => {
    element.textContent = "";
    ["place", "x", "", "y"].forEach((name, row) => put(row + 1, 1, "xp-soft", name));
    for (let t = 0; t <= s.context_length; t++) {
      const place = s.start + t;
      const look = `sw-token${isMark(s, place) ? " sw-mark" : ""}`;
      put(1, t + 2, "xp-soft", String(place));
      if (t < s.context_length) {
        put(2, t + 2, `${look} sw-x`, s.tokens[place]);
        put(3, t + 2, "sw-arrow", "↘");
      }
      if (t > 0) put(4, t + 2, `${look} sw-y`, s.tokens[place]);
    }
  }]);
}

// The last so many characters of a text.
const ending = (text, most) => (text.length > most ? `…${text.slice(1 - most)}` : text);

// One question for each position.
function makeQuestions() {
  const element = make("div", "xp-scroll sw-questions");
  return part(element, [read, (s) => {
    element.textContent = "";
    const crossing = crossingOf(s) ?? Infinity;
    const known = s.marks.length > 0; // else nobody knows where a document ends
    const rows = Array.from({ length: s.context_length }, (_, t) => {
      const end = s.start + t + 1;
      const text = s.tokens.slice(s.start, end).join(" ");
      const cells = [text, s.tokens[end]].map((words) => (cell) => token(cell, ending(words, 60)));
      return [t, ...cells, ...(known ? [t >= crossing ? "beyond a mark" : "one document"] : [])];
    });
    tabulate(element, `${s.context_length} questions for one reading`,
      ["position", "has read", "should say", ...(known ? ["sees"] : [])], rows);
  }]);
}

function makeWarning(ui) {
  const element = make("p", "sw-warning");
  return part(element, [read, (s) => {
    const t = crossingOf(s);
    const last = s.start === lastStart(s);
    element.textContent = (t === undefined ? ""
      : `‖ This window crosses a mark: from position ${t} on, it reads across it. `)
      + (last ? "▾ This is the last window that fits: its last target is the last token." : "");
    ui.say(`Window at place ${s.start}. x: ${s.tokens[s.start]}, first target: `
      + `${s.tokens[s.start + 1]}. ${element.textContent}`);
  }]);
}

const HELP = "Drag the window, or click where it should begin. Keys: the slider's arrows.";

function render(context) {
  const ui = start(context, "sw", "A window over a stream of tokens");
  const can = moving(ui);
  const parts = [makeControls(ui, can), makeStream(can, ui.state), makeLegend(), makeWarning(ui),
    makeShift(), makeQuestions()];
  ui.root.append(make("p", "xp-soft", null, HELP), ...parts.map(({ element }) => element));
  return ui.open(...parts);
}

export default { render };
