// Further curves, which the caller measures now and then: a diagram for each.

function makeMeasures() {
  const element = make("div", "tm-three tm-measures");
  return part(element,
    [(s) => [element.clientWidth, s.measured, s.max_steps, s.at, s.over], (s) => {
      const all = Object.entries(s.measured);
      element.hidden = !all.length;
      element.replaceChildren();
      for (const [name, points] of all) showMeasure(make("div", "", element), name, points, s);
    }]);
}

// The newest value up to the step that is looked at, in words and at its place.
function showMeasure(box, name, points, s) {
  const until = isLooking(s) ? s.data.step[lookedAt(s)] : Infinity;
  const here = points.findLast(([step]) => step <= until);
  const told = here ? `: ${number(here[1])} at step ${number(here[0])}` : "";
  make("div", "xp-soft tm-told", box, cut(name, 60) + told);
  const svg = makeSvg("svg", "", box, UNREAD);
  const [steps, values] = [0, 1].map((i) => points.map((point) => point[i]));
  const plane = showAxes(svg, {
    width: Math.max(140, box.clientWidth), height: 130, right: 20, steps: s.max_steps, values,
    most: 3, logarithmic: false,
  });
  makeSvg("path", "tm-smooth", svg, { d: pathOf(plane, steps, values) });
  points.forEach(([step, value]) => {
    if (!Number.isFinite(value)) return;
    const r = here && step === here[0] ? 4 : 2;
    makeSvg("circle", "tm-dot", svg, { cx: plane.x(step), cy: plane.y(value), r });
  });
}
