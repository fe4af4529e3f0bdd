// The last bar in numbers.

// A part's name in the table; it opens the part, however thin that is in its bar.
const nameOf = (ui, { name, parts }, path) => (cell) => {
  if (!parts.length) {
    make("bdi", "", cell, name);
    return;
  }
  const open = button(cell, "", () => {
    cell.closest(".pf-table").focus(); // the button goes with its row
    ui.set({ opened: path });
    ui.keep({ pointed: path });
  }, { class: "pf-open-row" });
  make("bdi", "", open, name);
};

// The parts of the last bar as numbers.
function makeTable(ui) {
  const element = make("div", "xp-scroll pf-table", null, undefined, {
    tabindex: 0, role: "group", "aria-label": "The last bar's parts in numbers",
  });
  const rateOf = (node, i) => (node.flops[i] && node.seconds[i]
    ? fixed(node.flops[i] / node.seconds[i] / 1e9, 1) : "");
  const cellsOf = (s, path) => {
    const node = partAt(s.tree, path);
    const cells = s.labels.flatMap((_, i) => {
      const { time, share } = timesOf(s, path, i);
      return [time, share, rateOf(node, i)];
    });
    const [a, b] = node.seconds;
    const change = a && b ? `${signed(100 * (b / a - 1), 0)} %` : "";
    return s.labels.length > 1 ? [...cells, change] : cells;
  };
  let lines = [];
  return part(element, [(s) => [s.bars, s.labels], (s) => {
    const { path, node } = s.bars.at(-1);
    const several = s.labels.length > 1;
    const head = s.labels.flatMap((label) => {
      const name = several ? `${cut(label, 24)}: ` : "";
      return [`${name}time`, `${name}of the step`, `${name}GFLOP/s`];
    });
    const rows = node.parts.map((each) =>
      [nameOf(ui, each, [...path, each.name]), ...cellsOf(s, [...path, each.name])]);
    element.replaceChildren();
    tabulate(element, "", ["part", ...head, ...(several ? ["change"] : [])], rows);
    lines = [...element.querySelectorAll("tbody tr")];
    ui.say(`${[s.tree.name, ...path].join(" › ")}: ${rows.length} parts`);
  }], [(s) => [s.bars, s.pointed], (s) => {
    const { path, node } = s.bars.at(-1);
    const pointed = pointedOf(s);
    lines.forEach((line, i) => line.classList.toggle("pf-here",
      same(pointed, [...path, node.parts[i].name])));
  }]);
}
