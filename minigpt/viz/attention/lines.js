// The tokens twice, and lines from each to what it looks at.

const LINE = 18; // pixels from token to token
const WIDTH = 72; // pixels across

function stroke(pen, row, column, weight, style, most) {
  pen.globalAlpha = 0.15 + 0.85 * Math.sqrt(weight);
  pen.strokeStyle = style;
  pen.lineWidth = Math.max(0.6, most * weight);
  pen.beginPath();
  pen.moveTo(0, row * LINE);
  pen.bezierCurveTo(WIDTH / 2, row * LINE, WIDTH / 2, column * LINE, WIDTH, column * LINE);
  pen.stroke();
}

// All lines softly, and those of the shown token in the colour of what is chosen.
function strokeAll(pen, s, [soft, mark]) {
  const cell = patternOf(s, s.at.layer, s.at.head);
  const T = s.shape[2];
  for (let row = 0; row < T && T <= 64; row++) {
    for (let column = 0; column < seenOf(s, row); column++) {
      const weight = cell(row, column) / 255;
      if (weight > 0.1) stroke(pen, row, column, weight, soft, 2);
    }
  }
  s.looks.forEach((weight, column) => {
    if (weight > 0.02) stroke(pen, s.at.row, column, weight, mark, 7);
  });
}

function makeLines(ui, { point, lock }) {
  const element = makeBox("Lines: token → what it looks at", "ae-lines-box");
  const scroll = make("div", "ae-lines", element, "", {
    role: "img", "aria-label": "Lines between tokens; in words beside",
  });
  const canvas = make("canvas", "", scroll);
  const [left, right] = ["ae-from", "ae-to"].map((name) => make("div", name, scroll));
  let height;
  // Where it is scrolled to: asked in each frame it would cost a layout.
  scroll.addEventListener("scroll", () => ui.keep({ top: scroll.scrollTop }));
  scroll.addEventListener("pointerleave", () => point({}));
  // What is out of sight cannot scroll.
  ui.life.observe(new ResizeObserver(() => ui.keep({ laidOut: {} })), scroll);

  function build(s) {
    const names = (box) => s.tokens.map((name) => make("bdi", "", box, cut(name, 30)));
    [left, right].forEach((box) => box.replaceChildren());
    names(right);
    names(left).forEach((line, row) => {
      line.dataset.row = row;
      line.addEventListener("pointerenter", () => point({ row }));
      line.addEventListener("click", () => lock(row));
    });
    height = Math.min(304, LINE * s.tokens.length);
    scroll.style.height = `${height + 2}px`;
    s.top = 0;
  }

  function reveal(s) {
    // What is pointed at in here must stay under the pointer.
    if (s.hover.row !== undefined && scroll.matches(":hover")) return;
    const [line, room] = [s.at.row * LINE, height - LINE];
    if (Math.abs(line - s.top - room / 2) <= room / 2) return;
    s.top = clamp(line - room / 2, 0, LINE * s.shape[2] - height);
  }

  function mark(s) {
    const { at, looks } = s;
    [...left.children].forEach((line, i) => line.classList.toggle("ae-chosen", i === at.row));
    [...right.children].forEach((line, i) => {
      line.classList.toggle("ae-future", i >= seenOf(s, at.row));
      if (looks[i] >= 0.03) line.dataset.note = percent(looks[i]);
      else delete line.dataset.note;
    });
  }

  function draw(s) {
    const sharp = Math.max(1, Math.round(devicePixelRatio));
    [canvas.width, canvas.height] = [WIDTH * sharp, height * sharp];
    if (!isHeld(s, s.at.layer)) return;
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    pen.translate(0, LINE / 2 - s.top);
    const style = getComputedStyle(ui.root);
    strokeAll(pen, s, ["--line", "--mark"].map((name) => style.getPropertyValue(name)));
  }

  return part(element,
    [(s) => [s.tokens, s.shape], build],
    [(s) => [s.at.row, s.row, s.locked, s.shape], reveal],
    [(s) => [s.looks, s.tokens], mark],
    [(s) => [s.looks, s.weights, s.top, s.theme], draw],
    [(s) => [s.top, s.laidOut], (s) => { scroll.scrollTop = s.top; }]);
}
