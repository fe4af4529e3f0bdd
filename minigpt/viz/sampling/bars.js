// The likeliest next tokens, a bar for each, or as a table.

function makeBar(place) {
  const element = make("div", "sx-row", null, undefined, { role: "option" });
  const name = make("span", "sx-name", element);
  const bar = make("span", "sx-bar", element);
  const before = make("span", "sx-before", bar);
  const after = make("span", "sx-after", bar);
  const number = make("span", "sx-share", element);
  return part(element,
    [({ next }) => [next.nameAt(place)], ({ next }) => {
      name.textContent = "";
      token(name, next.nameAt(place));
    }],
    [({ next }) => [next], ({ next }) => {
      const [was, is] = [next.probabilities[place], next.drawn(place)];
      const away = place >= next.kept;
      element.hidden = place >= next.V;
      element.classList.toggle("sx-away", away);
      before.style.width = `${Math.min(100, (100 * was) / next.end)}%`;
      after.style.width = `${Math.min(100, (100 * is) / next.end)}%`;
      bar.classList.toggle("sx-beyond", Math.max(was, is) > next.end);
      number.textContent = away ? `cut (${percent(was, 1)})` : percent(is, 1);
      showCut(element, cutsAt(place, next));
    }],
    [({ over }) => [over === place], ({ over }) => {
      element.classList.toggle("sx-over", over === place);
      element.setAttribute("aria-selected", over === place);
    }]);
}

// The filters that cut just before a place, in words.
function cutsAt(place, { cutsK, cutsP, byK, kept, topK, topP }) {
  const words = [];
  if (cutsK && place === byK) words.push(`top-k ${topK}`);
  if (cutsP && place === kept && kept < byK) words.push(`top-p ${topP}`);
  return words.join(", ");
}

function showCut(element, words) {
  if (words) element.dataset.cut = words;
  else delete element.dataset.cut;
}

// The axis above the bars.
function makeScale() {
  const element = make("div", "sx-scale xp-soft", null, "", { "aria-hidden": "true" });
  make("span", "", element);
  const ticks = make("span", "sx-ticks", element);
  const [, middle, end] = ["0", "", ""].map((text) => make("span", "", ticks, text));
  return part(element, [({ next }) => [next.end], ({ next }) => {
    middle.textContent = `${50 * next.end} %`;
    end.textContent = `${100 * next.end} %`;
  }]);
}

function makeBars(labels, { point, pick }) {
  const element = make("div", "sx-list xp-scroll", null, undefined, { role: "listbox" });
  element.setAttribute("aria-label", "Next token: arrow keys move, Enter chooses");
  const bars = labels.map((_, place) => makeBar(place));
  const rows = bars.map((bar) => bar.element);
  const scale = makeScale();
  element.append(scale.element, ...rows);
  const mark = rove(element, rows, 1, point);
  let picked = false; // the next list was asked for from within this one
  const choose = (place) => { picked = pick(place) && element.contains(document.activeElement); };
  rows.forEach((row, place) => {
    row.addEventListener("pointerenter", () => point(place));
    row.addEventListener("focus", () => point(place));
    row.addEventListener("click", () => choose(place));
  });
  element.addEventListener("pointerleave", () => point(null));
  element.addEventListener("focusout", () => point(null));
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose(rows.indexOf(event.target)); // not what lies under a mouse that rests there
  });
  return part(element,
    [always, (state) => [scale, ...bars].forEach((each) => each.show(state))],
    [({ tokens }) => [tokens], () => {
      if (!picked) return;
      picked = false;
      mark(0);
      rows[0].focus();
    }]);
}

// What the list leaves out.
function makeRest(labels) {
  const element = make("div", "sx-rest xp-soft");
  return part(element, [({ next }) => [next], ({ next: { V, together } }) => {
    const more = Math.max(0, V - labels.length);
    const left = percent(Math.max(0, 1 - together[V - more - 1]), 1);
    element.textContent = more
      ? `and ${count(more)} more tokens with ${left} together before the filters` : "";
  }]);
}

function makeTokenTable(labels) {
  const element = make("div", "xp-scroll sx-list");
  return part(element, [({ next }) => [next], ({ next }) => {
    const { V, floats, order, kept, probabilities, nameAt, drawn } = next;
    const places = [...labels.keys()].filter((place) => place < V);
    element.textContent = "";
    tabulate(
      element,
      `The ${places.length} likeliest of ${count(V)} tokens`,
      ["token", "id", "logit", "before", "drawn from", "kept"],
      places.map((place) => [
        (cell) => token(cell, nameAt(place)),
        order[place], fixed(floats[order[place]]),
        percent(probabilities[place], 2), percent(drawn(place), 2), place < kept ? "yes" : "no",
      ]),
    );
  }]);
}

function makeNext(ui, can) {
  const { labels } = ui.state;
  const element = make("section", "sx-next");
  ui.failAt(element, "pick");
  const head = make("div", "xp-row", element);
  make("h3", "xp-title", head, "Next token");
  make("span", "xp-soft", head, "click one to choose it");
  input("checkbox", head, "as table", (asTable) => ui.keep({ asTable }));
  const parts = [
    when((s) => !s.asTable, makeBars(labels, can)),
    when((s) => !s.asTable, makeRest(labels)),
    when((s) => s.asTable, makeTokenTable(labels)),
  ];
  element.append(...parts.map((each) => each.element));
  make("div", "xp-soft", element, "Filled: drawn from. Outline: before the filters. Hatched: cut.");
  return { element, show: (state) => parts.forEach((each) => each.show(state)) };
}
