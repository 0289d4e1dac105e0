// SPDX-License-Identifier: MIT
// Filters, fields that open, and live pictures. The filter stands in the address: a link shows what its sender saw.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const form = document.getElementById("filters");
  const dialog = document.getElementById("cell");
  const names = ["load", "vpn", "records", "suite"];
  const field = (name) => form.elements.namedItem(name);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  document.documentElement.classList.add("scripted");
  form.hidden = !field("load");

  // The filter

  const chosen = () => Object.fromEntries(names.map((name) => [name, field(name) ? field(name).value.trim() : ""]));
  const agrees = (filter, row) =>
    (!filter.vpn || row.vpn === undefined || row.vpn === filter.vpn) &&
    (!filter.records || row.records === undefined || row.records === filter.records) &&
    (!filter.suite || row.suite === undefined || row.suite.includes(filter.suite));

  function show() {
    const filter = chosen();
    for (const part of all("section.load")) part.classList.toggle("hidden", part.dataset.load !== filter.load);
    let suites = 0;
    for (const table of all(".matrix")) {
      const left = all("thead th", table).map((head, column) => !column || agrees(filter, { vpn: head.dataset.vpn, records: head.dataset.records }));
      for (const line of table.rows) {
        [...line.cells].forEach((entry, column) => entry.classList.toggle("hidden", !left[column]));
        if (line.dataset.suite === undefined) continue;
        // A suite that none of the columns left can speak is no row of theirs.
        const spoken = [...line.cells].some((entry, column) => column && left[column] && entry.className.match(/ok|mixed|failed|invalid/));
        const hidden = !agrees(filter, { suite: line.dataset.suite }) || !spoken;
        line.classList.toggle("hidden", hidden);
        if (!hidden && table.closest("section").dataset.load === filter.load) suites += 1;
      }
    }
    if (!form.hidden) form.querySelector("output").textContent = `${suites} ciphersuite${suites === 1 ? "" : "s"}`;
    drawn.clear();
    for (const figure of all("figure.chart")) if (near.has(figure)) draw(figure);
  }

  function remember(open) {
    const filter = chosen();
    if (filter.load === field("load").options[0].value) filter.load = "";
    const words = new URLSearchParams(Object.entries(filter).filter(([, value]) => value));
    if (open !== undefined) words.set("cell", open);
    history.replaceState(null, "", words.size ? `#${words}` : location.pathname + location.search);
  }

  function recall() {
    if (form.hidden) return;
    const words = new URLSearchParams(location.hash.slice(1));
    if (![...names, "cell"].some((name) => words.has(name))) return;
    for (const name of names) if (words.has(name) && field(name)) field(name).value = words.get(name);
    for (const select of all("select", form)) if (select.selectedIndex < 0) select.selectedIndex = 0;
    show();
    if (words.has("cell")) open(Number(words.get("cell")));
  }

  // Pictures: drawn when they come near, of what the filter leaves

  const near = new Set();
  const drawn = new Set();
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function filtered(spec, filter) {
    const datasets = {};
    for (const [name, rows] of Object.entries(spec.datasets || {})) datasets[name] = rows.filter((row) => agrees(filter, row));
    return { ...spec, datasets };
  }

  function draw(figure) {
    const name = figure.dataset.chart;
    if (drawn.has(name)) return;
    drawn.add(name);
    const ink = dark.matches ? { title: { color: "#e8e8e8", subtitleColor: "#a8a8a8" }, style: { "guide-label": { fill: "#c8c8c8" }, "guide-title": { fill: "#e8e8e8" } } } : {};
    const options = { config: { background: "transparent", ...ink }, actions: { export: true, source: false, compiled: false, editor: false }, downloadFileName: name };
    const spec = filtered(data.charts[name], chosen());
    if (dark.matches) spec.config = { ...spec.config, axis: { ...spec.config.axis, gridColor: "#34373c", domainColor: "#555" } };
    vegaEmbed(figure, spec, options).then(() => figure.setAttribute("data-drawn", ""), (error) => { figure.textContent = `${name}: ${error.message}`; });
  }

  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) { near.add(target); draw(target); } else near.delete(target);
    }
  }, { rootMargin: "600px" });
  addEventListener("beforeprint", () => all("figure.chart").forEach(draw));
  dark.addEventListener("change", show);

  // A field: its samples, their proof, their readings, their logs

  const element = (tag, text, classes) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (classes) made.className = classes;
    return made;
  };

  function row(body, kind, texts) {
    const line = body.appendChild(element("tr"));
    texts.forEach((text, index) => line.appendChild(element(index ? kind : "th", text, index ? "" : "key")));
  }

  function readings(cell, samples) {
    const table = element("table");
    row(table.appendChild(element("thead")), "th", ["reading", ...samples.map((sample) => `block ${sample.block}`)]);
    const body = table.appendChild(element("tbody"));
    cell.metrics.forEach((index, place) => {
      const [metric, unit, end] = data.metrics[index];
      row(body, "td", [`${metric} (${end}), ${unit}`, ...samples.map((sample) => sample.read[place] ?? "–")]);
    });
    return table;
  }

  function open(number) {
    const cell = data.cells[number];
    if (!cell) return;
    const [vpn, variant, , suite, measure, conditions] = cell.key;
    document.getElementById("cell-title").textContent = `${vpn}/${variant} ${suite}: ${measure} ${conditions}`;
    const place = dialog.querySelector("div");
    place.replaceChildren();
    const table = place.appendChild(element("table"));
    row(table.appendChild(element("thead")), "th", ["block", "outcome", "limit", "reason"]);
    const body = table.appendChild(element("tbody"));
    for (const sample of cell.samples) row(body, "td", [sample.block, sample.outcome || "ok", sample.limit || "–", sample.reason || "–"]);
    const measured = cell.samples.filter((sample) => sample.read.length);
    if (measured.length) {
      place.append(element("h3", "Readings: speeds, and the CPU time of each place"));
      const scroll = place.appendChild(element("div", undefined, "scroll"));
      scroll.append(readings(cell, measured));
    }
    for (const sample of cell.samples) {
      if (sample.proof) place.append(element("h3", `Proof of the data path, block ${sample.block}`), element("pre", JSON.stringify(sample.proof, null, 1)));
      for (const [end, text] of Object.entries(sample.logs || {})) if (text) place.append(element("h3", `Log of ${end}, block ${sample.block}`), element("pre", text));
    }
    dialog.showModal();
    remember(number);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-cell]");
    if (button) open(Number(button.dataset.cell));
  });
  dialog.addEventListener("close", () => remember());
  for (const kind of ["input", "change"]) form.addEventListener(kind, () => { show(); remember(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { show(); remember(); }));
  addEventListener("hashchange", recall);
  all("figure.chart").forEach((figure) => watcher.observe(figure));
  show();
  recall();
})();
