// The frame of an explorer: its theme, its talk with Python, and when its parts are shown.

const PAUSE = 150; // milliseconds without a change, before Python is asked
const ROUND_TRIP = 2000; // milliseconds that an idle kernel takes at most

// Light or dark as Jupyter's theme, or else the system's, as they change.
function followTheme({ root, life, keep }) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const { jpThemeLight } = document.body.dataset;
    const dark = jpThemeLight ? jpThemeLight === "false" : system.matches;
    root.dataset.theme = dark ? "dark" : "light";
    keep({ theme: root.dataset.theme });
  };
  const jupyters = { attributes: true, attributeFilter: ["data-jp-theme-light"] };
  life.observe(new MutationObserver(set), document.body, jupyters);
  life.listen(system, "change", set);
  set();
}

// Questions to Python. Of each kind one is on its way and the newest waits; answers to older ones
// are dropped.
function connect(model, life, changed, { fail, save }) {
  const view = Math.random().toString(36).slice(2); // other views hear the same answers
  const lanes = new Map();
  const kernel = { live: false };
  const silence = life.later(() => changed(true));
  let revision = 0;

  function laneOf(kind) {
    if (!lanes.has(kind)) {
      const wait = life.later(() => {
        lanes.get(kind).ready = true;
        send(kind);
      });
      lanes.set(kind, { wait });
    }
    return lanes.get(kind);
  }

  function send(kind) {
    const lane = lanes.get(kind);
    if (lane.flying || !lane.ready) return;
    [lane.flying, lane.next, lane.ready] = [lane.next, null, false];
    if (kernel.live) save(); // Python answers from what is shown
    try {
      model.send({ view, kind, revision: lane.flying.revision, payload: lane.flying.payload });
    } catch { // the kernel has gone
      lane.flying = null;
      kernel.live = false;
      changed(true);
    }
  }

  kernel.ask = (kind, payload, then = () => {}, delay = PAUSE) => {
    const lane = laneOf(kind);
    lane.next = { payload, tell: then, revision: ++revision };
    lane.wait(delay);
    changed();
  };

  kernel.busy = (kind) =>
    [...lanes].some(([name, lane]) =>
      (kind ? name === kind : name !== "hello") && (lane.next || lane.flying));

  function hear(message, buffers) {
    const lane = lanes.get(message.kind);
    if (message.view !== view || lane?.flying?.revision !== message.revision) return;
    const { tell } = lane.flying;
    lane.flying = null;
    if (lane.next) send(message.kind);
    else if (message.error) fail(message.error, message.kind);
    else {
      message.bytes.forEach((name, i) => { message.answer[name] = buffers[i]; });
      fail("", message.kind);
      tell(message.answer);
    }
    changed();
  }

  // A kernel that answers lives; a busy one answers late.
  kernel.hello = () => {
    for (const lane of lanes.values()) {
      lane.wait.stop();
      lane.next = lane.flying = null;
    }
    kernel.live = false;
    kernel.ask("hello", {}, () => {
      silence.stop();
      kernel.live = true;
    }, 0);
    silence(ROUND_TRIP);
  };

  life.hear(model, "msg:custom", hear);
  life.hear(model, "comm_live_update", kernel.hello);
  return kernel;
}

// The line below an explorer: Python works, or does not answer, or has refused.
function makeStateBar() {
  const bar = make("div", "xp-state");
  return {
    bar,
    busy: make("span", "xp-busy", bar, "working…", { hidden: "" }),
    alone: make("span", "xp-alone", bar,
      "No kernel answers: what needs Python is switched off. Run the cell for it.", { hidden: "" }),
    problem: make("span", "xp-problem", bar, "", { role: "alert" }),
  };
}

// The frame of an explorer. `draw()` and the parts given to ui.open() show the state at most once a
// frame, after ui.redraw() or any change.
function start({ model, el }, className, description, draw = () => {}) {
  const root = make("div", `xp ${className}`, el, "", {
    role: "group", "aria-label": description,
    "data-lm-suppress-shortcuts": "true", // for JupyterLab: an `a` here would insert a cell
  });
  root.addEventListener("keydown", (event) => event.stopPropagation());
  const { bar, busy, alone, problem } = makeStateBar();
  const spoken = make("div", "xp-spoken", root, "", { "aria-live": "polite" });
  const needy = new Set();
  const places = new Map(); // kind -> where its errors stand
  let failed;
  const life = lifetime();
  const ui = { root, life, state: stateOf(model) };
  let parts = [];

  const show = () => {
    draw();
    for (const part of parts) part.show(ui.state);
  };
  ui.redraw = life.nextFrame(show);
  // What this view keeps for itself, such as what is pointed at; other views know nothing of it.
  ui.keep = (changes) => {
    Object.assign(ui.state, changes);
    ui.redraw();
  };
  ui.save = () => {
    saveSoon.stop();
    model.save_changes();
  };
  const saveSoon = life.later(ui.save);
  // What is chosen, in all views. A held key must not wait for Python: it hears of changes when
  // they pause.
  ui.set = (changes) => {
    for (const [name, value] of Object.entries(changes)) model.set(name, value);
    saveSoon(PAUSE);
    ui.redraw();
  };
  const speak = life.later((sentence) => { spoken.textContent = sentence; });
  // For screen readers, once the changes pause.
  ui.say = (sentence) => speak(300, sentence);
  // An error stands beside what asked: at the end of `node`, for questions of these kinds.
  ui.failAt = (node, ...kinds) => kinds.forEach((kind) => places.set(kind, node));
  // It stays until that kind of question is answered, or another fails.
  ui.fail = (text, kind) => {
    if (!text && kind !== failed) return;
    failed = kind;
    (places.get(kind) ?? bar).append(problem);
    problem.textContent = cut(text, 400);
  };
  // A control of no use without Python.
  ui.needsKernel = (control) => {
    needy.add(control);
    control.disabled = !ui.kernel.live;
    return control;
  };
  ui.kernel = connect(model, life, (late = false) => {
    const { kernel } = ui;
    busy.hidden = !(kernel.live && kernel.busy());
    root.setAttribute("aria-busy", !busy.hidden);
    alone.hidden = kernel.live || !needy.size || (alone.hidden && !late);
    for (const control of needy) control.disabled = !kernel.live;
    ui.redraw();
  }, ui);
  // To be called once the widget's parts are there; returns what ends the view.
  ui.open = (...shown) => {
    parts = shown;
    root.append(bar);
    life.hear(model, "change", ui.redraw);
    ui.kernel.hello();
    show();
    return () => {
      ui.save();
      life.end();
    };
  };
  followTheme(ui);
  return ui;
}
