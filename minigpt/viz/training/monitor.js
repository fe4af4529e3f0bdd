// The training monitor: its parts stand before this file, in one module. Python only sends;
// whatever is chosen here (a step, a scale, smoothing) needs no answer.

function makeControls(ui) {
  const element = make("div", "xp-row");
  make("span", "xp-title", element, "Loss (nats per token)");
  const log = input("checkbox", element, "logarithmic", (on) => ui.set({ logarithmic: on }));
  const smooth = input("range", element, "smoothing", (weight) => ui.set({ smooth: Number(weight) }),
    { min: 0, max: 0.98, step: 0.02, title: "How much of the point before each point keeps" });
  const means = make("span", "xp-soft tm-means", element);
  const table = input("checkbox", element, "show as table", (on) => ui.set({ as_table: on }));
  const newest = button(element, "newest step", () => ui.set({ at: -1 }));
  return part(element, [always, (s) => {
    log.checked = s.logarithmic;
    smooth.value = s.smooth;
    const points = Math.round(1 / (1 - s.smooth)); // that weigh in an average like this
    means.textContent = points > 1
      ? `${fixed(s.smooth)}: the mean of about the last ${points} points` : "off";
    table.checked = s.as_table;
    newest.disabled = s.at < 0;
  }]);
}

function render(context) {
  const ui = start(context, "tm", "Training monitor");
  ui.state.over = -1; // the step under the pointer
  const parts = [
    makeTiles(), makeProgress(), makeControls(ui), makeLegend(), makeCurve(ui), makeHere(ui),
    makeSmallCharts(), makeMeasures(), makeSamples(ui), makeTable(),
  ];
  ui.root.append(...parts.map(({ element }) => element));
  const data = follows("data", (s) => [s.rows], (s) => columnsOf(s.rows));
  return ui.open(data, ...parts);
}

export default { render };
