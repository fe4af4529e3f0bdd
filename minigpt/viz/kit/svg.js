// For explorers that draw lines: like make() of kit.js, for what is inside an <svg>.
function makeSvg(tag, className, parent, attributes = {}, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  if (className) node.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  parent?.append(node);
  return node;
}
