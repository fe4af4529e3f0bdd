// Where a step's time goes. The state has the traits of StepProfile, and of this view `bars`: those
// that are there now, and `pointed`: the path of the part that is told about.

function makeCrumbs(ui) {
  const element = make("div", "pf-crumbs", null, undefined, {
    role: "group", "aria-label": "Opened parts, from the whole down",
  });
  return part(element, [(s) => [s.opened, s.tree], ({ tree, opened }) => {
    const before = [...element.querySelectorAll("button")].indexOf(document.activeElement);
    element.replaceChildren();
    const nodes = [tree.name, ...opened].map((name, i) => {
      if (i) make("span", "xp-soft", element, "›", { "aria-hidden": "true" });
      const crumb = button(element, cut(name, 40), () => {
        ui.set({ opened: opened.slice(0, i) });
        ui.keep({ pointed: opened.slice(0, i) });
      });
      if (i === opened.length) crumb.setAttribute("aria-current", "true");
      return crumb;
    });
    if (before >= 0) nodes[Math.min(before, nodes.length - 1)].focus();
  }]);
}

// All bars, from the whole down; those that stay are left as they are, with their focus.
function makeBars(ui) {
  const element = make("div", "pf-bars");
  let shown = []; // of makeBar()
  let current; // the part that Tab reaches

  function setCurrent(item) {
    if (current) current.button.tabIndex = -1;
    current = item;
    if (current) current.button.tabIndex = 0;
  }

  function toggle(path) {
    const { opened, tree } = ui.state;
    ui.keep({ pointed: path });
    if (!partAt(tree, path).parts.length) return;
    const isOpen = same(opened.slice(0, path.length), path);
    ui.set({ opened: isOpen ? path.slice(0, -1) : path });
  }

  function build(s) {
    const stays = s.bars.findIndex((bar, i) => !shown[i] || !same(shown[i].path, bar.path));
    const first = stays < 0 ? s.bars.length : stays;
    for (const { element: old } of shown.slice(first)) old.remove();
    shown = shown.slice(0, first);
    for (const bar of s.bars.slice(first)) {
      const made = makeBar(s, bar, toggle);
      for (const item of made.rows.flat()) listen(item);
      element.append(made.element);
      shown.push(made);
    }
    s.bars.forEach((bar, i) => markOpen(shown[i], bar));
    const all = shown.flatMap(({ rows }) => rows.flat());
    if (!all.includes(current)) setCurrent(all[0]);
  }

  function listen(item) {
    item.button.tabIndex = -1;
    item.button.addEventListener("pointerenter", () => ui.keep({ pointed: item.path }));
    item.button.addEventListener("focus", () => {
      setCurrent(item);
      ui.keep({ pointed: item.path });
    });
  }

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") close(event);
    const next = nextOf(shown, current, event.key);
    if (!next) return;
    event.preventDefault();
    next.button.focus();
  });

  // The last bar goes; who stood in it stands on what it was opened from.
  function close(event) {
    const { opened } = ui.state;
    if (!opened.length) return;
    event.preventDefault();
    const [above, last] = shown.slice(-2);
    if (last.rows.flat().includes(current)) {
      const from = above.rows.flat().filter(({ path }) => same(path, opened));
      (from.find(({ i }) => i === current.i) ?? from[0]).button.focus();
    }
    ui.set({ opened: opened.slice(0, -1) });
  }

  return part(element, [(s) => [s.bars], build]);
}

// Where an arrow key leads: along a row, or to the row above or below.
function nextOf(shown, current, key) {
  const rows = shown.flatMap((bar) => bar.rows).filter((row) => row.length);
  const at = rows.findIndex((row) => row.includes(current));
  if (at < 0) return null;
  const row = rows[at];
  const place = row.indexOf(current);
  const along = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: row.length - 1 };
  if (key in along) return row[along[key]];
  const to = rows[at + { ArrowUp: -1, ArrowDown: 1 }[key]];
  if (!to) return null;
  const fits = [
    ({ path }) => same(path, current.path), // the same part in the other profile
    ({ button }) => key === "ArrowUp" && button.classList.contains("pf-open"),
  ];
  const siblings = same(to[0].path.slice(0, -1), current.path.slice(0, -1));
  return fits.map((fit) => to.find(fit)).find(Boolean)
    ?? to[siblings ? Math.min(place, to.length - 1) : 0];
}

// What there is to say of the part that is pointed at, or else of the last that was opened.
function makeReadout() {
  const element = make("p", "pf-said");
  return part(element, [(s) => [s.bars, s.pointed], (s) => {
    element.replaceChildren();
    const path = pointedOf(s);
    make("b", "", element, [s.tree.name, ...path].join(" › "));
    const node = partAt(s.tree, path);
    const times = s.labels.map((label, i) => {
      const said = inWords(timesOf(s, path, i));
      return s.labels.length > 1 ? `${label} ${said}` : said;
    });
    element.append(`: ${times.join("; ")}`);
    const [a, b] = node.seconds;
    if (a && b) element.append(`; ${signed(100 * (b / a - 1), 0)} %`);
    if (path.length > 1 && s.labels.length === 1) {
      const around = partAt(s.tree, path.slice(0, -1));
      element.append(`; ${percent(a / around.seconds[0], 1)} of ${around.name}`);
    }
    element.append(".");
  }]);
}

// A part that is in one of the bars; one whose bar was closed is told about no more.
function pointedOf({ pointed, opened }) {
  const around = pointed?.slice(0, -1) ?? [];
  return pointed && same(opened.slice(0, around.length), around) ? pointed : opened;
}

const HELP = "The bar is the whole step, to scale. Click a part to open it as a bar below, with a "
  + "scale of its own; click it again to close it. By keyboard: arrow keys, Enter, Escape.";

function render(context) {
  const ui = start(context, "pf", "Where the time of a step goes");
  const bars = follows("bars", (s) => [s.tree, s.opened], barsOf);
  const parts = [makeCrumbs(ui), makeBars(ui), makeReadout(), makeTable(ui)];
  ui.root.append(make("p", "xp-soft", null, HELP), ...parts.map(({ element }) => element));
  return ui.open(bars, ...parts);
}

export default { render };
