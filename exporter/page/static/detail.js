// Shows the values of a chart where the pointer is, or the arrow keys are. What it says stands in
// the chart's own data-plot; without this script there is the table under each chart.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const at = new Map();   // by id of a chart: which moment is looked at

function plotOf(svg) {
  return JSON.parse(svg.dataset.plot);
}

function clear(svg) {
  svg.querySelectorAll(".cross, .dot").forEach((mark) => mark.remove());
  svg.closest("figure").querySelector(".said")?.remove();
}

function across(plot, k) {
  return plot.left + (plot.times[k] - plot.start) / (plot.end - plot.start) * plot.width;
}

function scaleOf(svg) {
  return svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
}

// Where the picture is wider than the screen: the keyboard's moment into sight.
function bring(svg) {
  const plot = plotOf(svg);
  const box = svg.parentElement;
  const x = across(plot, at.get(svg.id)) * scaleOf(svg);
  if (x < box.scrollLeft + plot.left * scaleOf(svg) || x > box.scrollLeft + box.clientWidth) {
    box.scrollLeft = x - box.clientWidth / 2;
  }
}

// And what its heights mean, however it is moved aside.
function keepAxis(box) {
  const svg = box.querySelector("svg.plot");
  svg?.querySelector(".axis")?.setAttribute("transform", `translate(${box.scrollLeft / scaleOf(svg)} 0)`);
}

function show(svg) {
  clear(svg);
  const plot = plotOf(svg);
  const k = Math.min(at.get(svg.id), plot.times.length - 1);
  const x = across(plot, k);
  const cross = document.createElementNS(SVG, "line");
  for (const [name, value] of Object.entries({
    class: "cross", x1: x, x2: x, y1: plot.top, y2: plot.top + plot.height,
  })) cross.setAttribute(name, value);
  svg.append(cross);
  const said = document.createElement("div");
  said.className = "said";
  said.setAttribute("role", "status");
  const time = document.createElement("b");
  time.textContent = `${new Date(plot.times[k] * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
  said.append(time);
  for (const line of plot.lines) {
    const row = document.createElement("span");
    const value = document.createElement("i");
    value.textContent = line.said[k] ?? "-";
    row.append(`${line.name} `, value);
    said.append(row);
    if (line.y[k] === null) continue;
    const dot = document.createElementNS(SVG, "circle");
    dot.setAttribute("class", `dot ${line.kind}`);
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", line.y[k]);
    dot.setAttribute("r", 3);
    svg.append(dot);
  }
  // Beside the box that scrolls, which would cut it off.
  const box = svg.parentElement;
  box.parentElement.append(said);
  const seen = x * scaleOf(svg) - box.scrollLeft;
  const wanted = seen > box.clientWidth / 2 ? seen - said.offsetWidth - 12 : seen + 12;
  const most = box.clientWidth - said.offsetWidth;
  said.style.left = `${Math.max(0, Math.min(most, wanted))}px`;
  said.style.top = `${box.offsetTop}px`;
}

function nearest(svg, event) {
  const plot = plotOf(svg);
  const box = svg.getBoundingClientRect();
  const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
  const when = plot.start + (x - plot.left) / plot.width * (plot.end - plot.start);
  const step = (plot.times.at(-1) - plot.times[0]) / (plot.times.length - 1) || 1;
  return Math.max(0, Math.min(plot.times.length - 1, Math.round((when - plot.times[0]) / step)));
}

function over(event) {
  const svg = event.target.closest?.("svg.plot");
  for (const id of [...at.keys()]) {
    const other = document.getElementById(id);
    if (other && other !== svg && (svg || other !== document.activeElement)) { clear(other); at.delete(id); }
  }
  if (!svg) return;
  at.set(svg.id, nearest(svg, event));
  show(svg);
}

document.addEventListener("pointermove", over);
document.addEventListener("pointerdown", over);

const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e6, End: 1e6 };
document.addEventListener("keydown", (event) => {
  const svg = event.target.closest?.("svg.plot");
  if (!svg) return;
  if (event.key === "Escape") { at.delete(svg.id); clear(svg); return; }
  const step = STEPS[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const last = plotOf(svg).times.length - 1;
  at.set(svg.id, Math.max(0, Math.min(last, (at.get(svg.id) ?? last) + step)));
  bring(svg);
  show(svg);
});
document.addEventListener("focusin", (event) => {
  const svg = event.target.closest?.("svg.plot");
  if (!svg?.matches(":focus-visible") || at.has(svg.id)) return;
  at.set(svg.id, plotOf(svg).times.length - 1);
  bring(svg);
  show(svg);
});
document.addEventListener("focusout", (event) => {
  const svg = event.target.closest?.("svg.plot");
  if (svg) { at.delete(svg.id); clear(svg); }
});
// What is new stands at the right.
document.querySelectorAll(".chart").forEach((box) => { box.scrollLeft = box.scrollWidth; keepAxis(box); });
document.addEventListener("scroll", ({ target }) => { if (target.matches?.(".chart")) keepAxis(target); }, true);
addEventListener("resize", () => document.querySelectorAll(".chart").forEach(keepAxis));

// Fresh data came, and the marks went with the old picture.
document.addEventListener("slod:fresh", () => {
  document.querySelectorAll(".chart").forEach(keepAxis);
  for (const id of at.keys()) {
    const svg = document.getElementById(id);
    if (svg) show(svg);
  }
});
