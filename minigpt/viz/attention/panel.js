// What each layer expects next, and what is expected without some of the heads.

function after(parent, s, row, words) {
  const line = make("p", "ae-line", parent, `${words} after token ${row}, `);
  token(line, cut(s.tokens[row], 20));
  return line;
}

// A guess on its colour.
const guess = (share, name) => (cell) => {
  cell.className = "ae-guess";
  cell.style.background = css(share);
  cell.style.color = ink(share);
  make("bdi", "xp-code", cell, cut(name, 10));
  make("span", "", cell, ` ${percent(share)}`);
};

function makeLens() {
  const element = make("div");
  return part(element, [(s) => [s.lens, s.row, s.tokens], (s) => {
    const { row, layers } = s.lens;
    element.replaceChildren();
    const line = after(element, s, row, "What each layer expects");
    if (row + 1 < s.shape[2]) {
      line.append("; in the text ");
      token(line, cut(s.tokens[row + 1], 20));
    }
    if (row !== s.row) line.append(" …");
    const rows = layers.map(({ tokens, shares, true: share, rank }, i) => [
      i ? `layer ${i - 1}` : "embedding",
      ...(rank ? [`${percent(share)}, no. ${rank}`] : []),
      ...shares.slice(0, 3).map((x, j) => guess(x, tokens[j])),
    ]);
    tabulate(make("div", "xp-scroll", element), "",
      ["after", ...(layers[0].rank ? ["the true"] : []), "first guess", "second", "third"], rows);
  }]);
}

const mean = (nats) => nats.reduce((sum, x) => sum + x, 0) / Math.max(nats.length, 1);

// What the loss was, and what it is without the heads that are out.
function sayLoss(s) {
  const { ablated, without, surprisal } = s;
  if (!ablated.length) return "All heads are in place: x takes one out.";
  if (!isFound(s)) return "…";
  const [before, now] = [mean(surprisal), mean(without.surprisal)];
  const names = without.heads.map(([l, h]) => `${l}.${h}`).join(", ");
  return `Without ${cut(names, 80)}: the loss goes from ${fixed(before, 3)} to ${fixed(now, 3)} `
    + `nats per token, ${signed(now - before, 3)}.`;
}

const readsEffect = (s) =>
  [s.expected, s.without, s.ablated, s.by_mean, s.surprisal, s.tokens];

// The same in one line, with the likeliest next token before and now.
function sayEffect(line, s) {
  const { row, tokens, shares: [before, now] } = s.expected;
  const said = isFound(s);
  line.textContent = !s.ablated.length ? "All heads are in place." : said ? "" : "…";
  if (!s.ablated.length || !said || !now) return;
  const [loss, after] = [mean(s.surprisal), mean(s.without.surprisal)];
  const best = now.indexOf(Math.max(...now));
  line.append(`Loss ${fixed(loss, 3)} → ${fixed(after, 3)} (${signed(after - loss, 3)}). After token ${row}, `);
  token(line, cut(s.tokens[row], 20));
  line.append(": ");
  token(line, cut(tokens[0], 20));
  line.append(` ${percent(before[0])} → ${percent(now[0])}`);
  if (best === 0) return;
  line.append(", now ");
  token(line, cut(tokens[best], 20));
  line.append(` ${percent(now[best])}`);
}

const bar = (share, kind) => (cell) => {
  cell.className = `ae-share ae-${kind}`;
  cell.style.setProperty("--share", share);
  cell.textContent = `${fixed(100 * share, 1)} %`;
};

function makeBars() {
  const element = make("div");
  return part(element, [readsEffect, (s) => {
    const { row, tokens, shares: [before, now] } = s.expected;
    element.replaceChildren();
    make("p", "ae-line", element, sayLoss(s));
    after(element, s, row, "Expected").append(":");
    tabulate(element, "", ["token", "all heads", ...(now ? ["without", "change"] : [])],
      tokens.map((name, i) => [(cell) => token(cell, cut(name, 20)), bar(before[i], "before"),
        ...(now ? [bar(now[i], "after"), signed(100 * (now[i] - before[i]), 1)] : [])]));
  }]);
}

// The two of them, one at a time; a single one needs no tabs.
function makePanel(ui) {
  const element = make("section", "ae-panel");
  const tabs = make("div", "xp-row", element);
  const body = make("div", "", element);
  const views = [
    ["lens", "lens", "Logit lens", makeLens],
    ["take out", "ablation", "Without the heads", makeBars],
  ].filter(([part]) => has(ui.state, part)).map(([, name, title, build]) =>
    ({ name, view: build(), tab: button(tabs, title, () => ui.set({ panel: name })) }));
  tabs.hidden = views.length < 2;
  return {
    element,
    show(s) {
      const shown = views.find(({ name }) => name === s.panel) ?? views[0];
      for (const each of views) each.tab.setAttribute("aria-pressed", each === shown);
      const { view } = shown;
      if (body.firstChild !== view.element) body.replaceChildren(view.element);
      view.show(s);
    },
  };
}
