// The tokenizer explorer: its parts stand before this file, in one module.

function render(context) {
  const ui = start(context, "tx", "Tokenizer explorer");
  const columns = makeColumns(ui);
  const parts = [makeText(ui), makeReplay(ui), columns];
  ui.root.append(...parts.map(({ element }) => element));
  const speech = part(null, [always, (s) => {
    const where = `${stepOf(s)} of ${plural(s.steps.length, "merge")}`;
    ui.say([where, ...columns.words()].filter(Boolean).join(". "));
  }]);
  return ui.open(...parts, speech);
}

export default { render };
