// What the model wrote on the way; each sample leads to its step.

function makeSamples(ui) {
  const element = make("div", "tm-samples");
  make("div", "xp-title", element, "Samples");
  const list = make("div", "tm-list", element, undefined, { role: "listbox" });
  list.setAttribute("aria-label", "Samples: use the arrow keys");
  let rows = [];
  let mark = () => {};
  return part(element,
    [(s) => [JSON.stringify(s.samples)], ({ samples }) => { // told anew, they may be the same
      const go = (i) => ui.set({ at: samples[i][0] });
      element.hidden = !samples.length;
      list.replaceChildren();
      rows = samples.map((sample, i) => makeSample(list, sample, () => go(i)));
      mark = rove(list, rows, 1, go);
      list.scrollTop = list.scrollHeight;
    }],
    [(s) => [rows, s.at], ({ samples, at }) => {
      const chosen = samples.findIndex(([step]) => step === at);
      mark(chosen < 0 ? samples.length - 1 : chosen);
      rows.forEach((row, i) => row.setAttribute("aria-selected", i === chosen));
    }]);
}

function makeSample(list, [step, text], choose) {
  const row = make("div", "tm-sample", list, undefined, { role: "option" });
  make("span", "xp-soft", row, `step ${number(step)}`);
  make("bdi", "", row, text);
  row.addEventListener("click", choose);
  return row;
}
