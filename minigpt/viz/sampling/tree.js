// The tree of all that was tried. A line of chips runs on until it branches; each branch is then a
// line of its own.

function makeTree(ui, { go }) {
  const element = make("div");
  ui.failAt(element, "go");
  const head = make("div", "xp-row", element);
  make("h3", "xp-title", head, "Tried so far");
  const sum = make("span", "xp-soft", head);
  const box = make("div", "sx-tree", element, undefined, { role: "tree" });
  box.setAttribute("aria-label", "Tree of what was tried: arrow keys move, Enter goes there");
  make("div", "xp-soft", element, "Go back to any of them. Dotted: sampled. Solid line: chosen.");
  const tree = { box, nodes: [], chips: [], go };
  box.addEventListener("keydown", (event) => walk(tree, event));
  return part(element,
    [({ nodes }) => [nodes], ({ nodes }) => growTree(tree, nodes)],
    [({ nodes, current }) => [nodes, current], (state) => {
      const path = pathTo(state);
      sum.textContent = inWords(path, state.nodes);
      showPath(tree, path, state.current);
    }]);
}

const chipAt = ({ chips }) => chips.indexOf(document.activeElement);

function growTree(tree, nodes) {
  const at = chipAt(tree);
  const children = nodes.map(() => []);
  nodes.forEach(({ parent }, i) => children[parent]?.push(i));
  Object.assign(tree, { nodes, chips: [] });
  tree.box.textContent = "";
  const lines = [[0, tree.box, 1]];
  while (lines.length) {
    const [first, box, level] = lines.shift();
    const branches = children[growLine(tree, children, first, box, level)];
    if (!branches.length) continue;
    const group = make("div", "sx-branches", box, undefined, { role: "group" });
    for (const branch of branches) lines.push([branch, make("div", "", group), level + 1]);
  }
  if (at >= 0) (tree.chips[at] ?? tree.chips[0]).focus();
}

// One line, from a node to where it branches or ends; returns that node.
function growLine(tree, children, first, box, level) {
  const line = make("div", "sx-line", box, undefined, { role: "presentation" });
  for (let node = first; ; [node] = children[node]) {
    tree.chips[node] = makeChip(tree, line, node, level);
    if (children[node].length !== 1) return node;
  }
}

function makeChip({ nodes, go }, line, index, level) {
  const { how, label, share: likely } = nodes[index];
  const chip = make("span", `sx-chip sx-${how}`, line, undefined, { role: "treeitem" });
  chip.setAttribute("aria-level", level);
  chip.tabIndex = -1;
  if (index === 0) chip.append("prompt");
  else {
    token(chip, label).removeAttribute("title");
    chip.title = `${how}; the model gave it ${percent(likely, 1)}`;
  }
  chip.addEventListener("click", () => go(index));
  return chip;
}

// The nodes from the current one up to the prompt.
function pathTo({ nodes, current }) {
  const path = [];
  for (let at = current; at >= 0; at = nodes[at].parent) path.push(at);
  return path;
}

function inWords(path, nodes) {
  const tokens = path.length - 1;
  if (!tokens) {
    return nodes.length > 1 ? "standing at the prompt" : "nothing yet: sample, or choose a token";
  }
  const nats = path.reduce((sum, at) => sum - Math.log(nodes[at].share), 0);
  return `${count(tokens)} ${tokens === 1 ? "token" : "tokens"} behind the prompt, `
    + `${fixed(nats)} nats of surprise in all`;
}

function showPath({ box, chips }, path, current) {
  const focused = box.contains(document.activeElement);
  chips.forEach((chip, node) => {
    chip.classList.toggle("sx-path", path.includes(node));
    chip.setAttribute("aria-selected", node === current);
    if (!focused) chip.tabIndex = node === current ? 0 : -1;
  });
}

// The chip that a key leads to from the one at `at`, if there is one; undefined for other keys.
function chipFrom({ box, nodes, chips }, at, key) {
  const inOrder = [...box.querySelectorAll(".sx-chip")];
  const firsts = inOrder.filter((chip) => chip.matches(":first-child"));
  const line = firsts.indexOf(chips[at].parentElement.firstChild);
  const above = chips[at] === firsts[line] ? firsts[line - 1] : firsts[line];
  const steps = {
    ArrowLeft: chips[nodes[at].parent],
    ArrowRight: chips[nodes.findIndex(({ parent }) => parent === at)],
    ArrowUp: above, ArrowDown: firsts[line + 1], Home: chips[0], End: inOrder.at(-1),
  };
  return key in steps ? steps[key] ?? chips[at] : undefined;
}

function walk(tree, event) {
  const at = chipAt(tree);
  if (at < 0) return;
  const chosen = event.key === "Enter" || event.key === " ";
  const to = chipFrom(tree, at, event.key);
  if (!chosen && !to) return;
  event.preventDefault();
  if (chosen) return tree.go(at);
  tree.chips.forEach((chip) => { chip.tabIndex = chip === to ? 0 : -1; });
  to.focus();
}
