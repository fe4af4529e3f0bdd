// The three small diagrams below the loss, on the same scale of steps.

function makeSmallChart(name, title) {
  const element = make("div");
  make("div", "xp-soft", element, title);
  const svg = makeSvg("svg", "", element, UNREAD);
  return part(element,
    [(s) => [element.clientWidth, s.data, s.max_steps, s.at, s.over], (s) => {
      const values = s.data[name];
      const plane = showAxes(svg, {
        width: Math.max(140, element.clientWidth), height: 110, right: 20,
        steps: s.max_steps, values, most: 3,
        logarithmic: name === "grad_norm" && values.some((x) => x > 0),
      });
      makeSvg("path", "tm-smooth", svg, { d: pathOf(plane, s.data.step, values) });
      showCursor(svg, plane, s, values);
    }]);
}

const makeSmallCharts = () =>
  boxed("tm-three", ...NARROW.map(([name, title]) => makeSmallChart(name, title)));
