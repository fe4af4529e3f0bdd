// The text, which can be typed over, and the replay of the merges.

const PACE = 700; // milliseconds for a merge while it plays

function makeText(ui) {
  const element = make("div", "tx-text");
  const label = make("label", "", element);
  make("span", "xp-title", label, "Text");
  const area = make("textarea", "", label, undefined, { rows: 2, spellcheck: "false", dir: "auto" });
  let typed = null; // what the field shows
  area.addEventListener("input", () => {
    typed = area.value;
    ui.kernel.ask("text", { text: typed }, undefined, 300);
  });
  ui.needsKernel(area);
  ui.failAt(element, "text");
  return part(element, [always, ({ text }) => {
    if (document.activeElement !== area && typed !== text) area.value = typed = text;
  }]);
}

// How many of the steps are done, and how many merges are known by then.
const stepOf = (s) => clamp(s.step, 0, s.steps.length);
const knownOf = (s) => (stepOf(s) ? s.steps[stepOf(s) - 1] + 1 : 0);
const isOver = (s) => stepOf(s) === s.steps.length;

// How the replay moves; while it plays, a merge at a time.
function replaying(ui) {
  const { state: s } = ui;
  const can = {};
  const set = (step) => ui.set({ step: clamp(step, 0, s.steps.length) });
  const tick = ui.life.later(() => {
    set(stepOf(s) + 1);
    if (isOver(s)) can.stop();
    else tick(PACE);
  });
  can.stop = () => {
    tick.stop();
    ui.keep({ playing: false });
  };
  can.move = (step) => {
    can.stop();
    set(step);
  };
  can.play = () => {
    if (s.playing) return can.stop();
    if (isOver(s)) set(0);
    ui.keep({ playing: true });
    tick(PACE);
  };
  return can;
}

function makeReplay(ui) {
  const { move, play: playOrPause } = replaying(ui);
  const { state: s } = ui;
  const element = make("div", "xp-row tx-replay", null, undefined, { role: "group" });
  element.setAttribute("aria-label", "Replay of the merges");
  button(element, "bytes", () => move(0), { title: "before the first merge" });
  button(element, "back", () => move(stepOf(s) - 1));
  const play = button(element, "play", playOrPause);
  button(element, "next", () => move(stepOf(s) + 1));
  button(element, "tokens", () => move(Infinity), { title: "after the last merge" });
  const slider = input("range", element, "merges", (step) => move(Number(step)), { min: 0 });
  const where = make("span", "xp-soft", element);
  const choice = makeLooks(ui, element);
  return part(element,
    [always, () => {
      play.textContent = s.playing ? "pause" : "play";
      slider.max = s.steps.length;
      slider.value = stepOf(s);
      where.textContent = `${stepOf(s)} of ${plural(s.steps.length, "merge")}`;
      slider.setAttribute("aria-valuetext", where.textContent);
      choice.show(s);
    }]);
}

// What is seen of the tokens.
function makeLooks(ui, parent) {
  const looks = ["id", "bytes", "nothing"].map((look) => [look, look]);
  const under = select(parent, "below each token", looks, (look) => ui.set({ under: look }));
  const asTable = input("checkbox", parent, "show as table", (on) => ui.set({ as_table: on }));
  return part(null, [always, (s) => {
    if (under.value !== s.under) under.value = s.under;
    asTable.checked = s.as_table;
  }]);
}
