// Where the shown token looks, in words.

const LISTED = 6; // tokens

const strongest = (weights) =>
  [...weights.keys()].filter((i) => weights[i] > 0)
    .sort((a, b) => weights[b] - weights[a] || b - a).slice(0, LISTED);

function addBar(list, s, i) {
  const weight = s.looks[i];
  const line = make("li", "", list);
  const bar = make("span", "ae-bar", line);
  bar.style.width = `${60 * weight}px`;
  bar.style.background = css(weight);
  const exactly = isExact(s) ? `${fixed(100 * weight)} %` : percent(weight);
  make("span", "ae-number", line, exactly);
  token(line, cut(s.tokens[i], 14));
  make("span", "xp-soft", line, `token ${i}`);
}

function makeReadout(ui) {
  const element = makeBox("Where it looks", "ae-readout");
  return part(element, [(s) => [s.looks, s.locked, s.tokens, s.surprisal], (s) => {
    const { at, looks } = s;
    element.replaceChildren(element.firstChild);
    const first = make("p", "", element, `${shownName(s)}. Token ${at.row}, `);
    token(first, cut(s.tokens[at.row], 20));
    first.append(s.locked ? " (locked), looks at" : ", looks at");
    const best = strongest(looks);
    const list = make("ul", "", element);
    for (const i of best) addBar(list, s, i);
    if (!best.length) {
      make("p", "", element, isHeld(s, at.layer) ? "nothing: all of it is hidden." : "…");
    }
    const nats = s.surprisal[at.row - 1];
    if (nats !== undefined && has(s, "lens")) make("p", "xp-soft", element,
      `Its surprise: ${fixed(nats)} nats, ${percent(Math.exp(-nats))} expected.`);
    const told = best.slice(0, 3).map((i) => `${s.tokens[i]} ${percent(looks[i])}`);
    ui.say(`${first.textContent}: ${told.join(", ")}`);
  }]);
}
