// What an explorer is made of: one state, parts that show it, and a life that ends.

// All that the parts show: what is this view's own, and else the model's traits.
const stateOf = (model, own = {}) =>
  new Proxy(own, { get: (_, name) => (name in own ? own[name] : model.get(name)) });

// Whether any of the values is another one than when this was last asked.
function watch() {
  let before;
  return (...values) => {
    const changed = !before || values.some((value, i) => value !== before[i]);
    before = values;
    return changed;
  };
}

// A part: a node, and a way to show a state. Each step is [what it reads of the state, what it then
// does]; it is done when something that it reads has changed.
function part(element, ...steps) {
  const watched = steps.map(([reads, act]) => [reads, act, watch()]);
  const show = (state) => watched.forEach(([reads, act, changed]) => {
    if (changed(...reads(state))) act(state);
  });
  return { element, show };
}

// For a step that is done each time.
const always = () => [{}];

// A part that is there only while this holds.
function when(holds, { element, show }) {
  return {
    element,
    show(state) {
      const there = Boolean(holds(state));
      if (element) element.hidden = !there;
      if (there) show(state);
    },
  };
}

// Several parts in one box.
function boxed(className, ...parts) {
  const element = make("div", className);
  element.append(...parts.map((each) => each.element));
  return { element, show: (state) => parts.forEach((each) => each.show(state)) };
}

// A value that follows from others: while they are the same, so is it.
const follows = (name, reads, find) =>
  part(null, [reads, (state) => { state[name] = find(state); }]);

// What a view began outside of its own nodes ends with it: listeners, observers, timers.
function lifetime() {
  const ends = new Set();
  return {
    ending: (end) => ends.add(end),
    listen(target, name, listener) {
      target.addEventListener(name, listener);
      ends.add(() => target.removeEventListener(name, listener));
    },
    hear(model, name, listener) {
      model.on(name, listener);
      ends.add(() => model.off(name, listener));
    },
    observe(observer, node, options) {
      observer.observe(node, options);
      ends.add(() => observer.disconnect());
    },
    // A function that does it, after so many milliseconds; called again meanwhile, it waits anew.
    later(act) {
      let timer = 0;
      const wait = (delay, ...values) => {
        clearTimeout(timer);
        timer = setTimeout(act, delay, ...values);
      };
      wait.stop = () => clearTimeout(timer);
      ends.add(wait.stop);
      return wait;
    },
    // A function that has it done once in the next frame, however often it is called.
    nextFrame(act) {
      let due = 0;
      ends.add(() => cancelAnimationFrame(due));
      return () => {
        due ||= requestAnimationFrame(() => {
          due = 0;
          act();
        });
      };
    },
    end() {
      ends.forEach((end) => end());
      ends.clear();
    },
  };
}
