// The prompt, which can be typed over, and the text so far.

const LONGEST_TEXT = 1200; // characters of the text that are shown, the newest ones

function makePrompt(ui, { ask }) {
  const element = make("div");
  const label = make("label", "sx-ask", element);
  make("span", "xp-title", label, "Prompt");
  const area = make("textarea", "xp-code", label, undefined, { rows: 2, spellcheck: "false" });
  area.title = "Another prompt starts another tree; Undo brings this one back.";
  const send = (delay) => ask("prompt", { prompt: area.value }, delay);
  const waits = () => ui.kernel.busy("prompt");
  area.addEventListener("input", () => send(400));
  area.addEventListener("change", () => waits() && send(0)); // on to the next control
  ui.needsKernel(area);
  ui.failAt(element, "prompt");
  const box = { role: "group", "aria-label": "Text so far" };
  const text = make("div", "sx-text", element, undefined, box);
  const note = make("div", "xp-soft", element);
  return part(element,
    [always, ({ prompt }) => {
      if (!waits() && area.value !== prompt && !area.matches(":focus")) area.value = prompt;
    }],
    [(state) => [state.prompt, state.text], (state) => showText(text, state)],
    [(state) => [state.note], (state) => { note.textContent = state.note; }]);
}

// The end of a text: what was given, then what was chosen behind it.
function showText(box, { prompt, text }) {
  box.textContent = "";
  const newest = text.slice(-LONGEST_TEXT);
  const before = prompt.slice(-Math.max(80, LONGEST_TEXT - newest.length));
  const hidden = prompt.length + text.length - newest.length - before.length;
  if (hidden) make("span", "xp-soft", box, `(${count(hidden)} characters before) `);
  make("bdi", "sx-given", box, before);
  make("bdi", "sx-chosen", box, newest);
  box.scrollTop = box.scrollHeight;
}
