(function () {
  "use strict";
  const charts = JSON.parse(document.getElementById("charts").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const views = new Map();

  /** The text with "$name" replaced by the page's colour of that name. */
  function coloured(value, style) {
    if (typeof value === "string" && value.startsWith("$")) return style.getPropertyValue("--" + value.slice(1)).trim() || value;
    if (Array.isArray(value)) return value.length > 2000 ? value : value.map((entry) => coloured(entry, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, key === "values" ? entry : coloured(entry, style)]));
    }
    return value;
  }

  function dress(style) {
    const colour = (name) => style.getPropertyValue("--" + name).trim();
    const font = getComputedStyle(document.body).fontFamily;
    return {
      background: null, font: font, padding: { left: 0, right: 4, top: 4, bottom: 6 },
      view: { stroke: null },
      range: { category: ["first", "second", "third", "fourth", "fifth"].map(colour) },
      axis: { labelColor: colour("muted"), titleColor: colour("muted"), titleFontWeight: "normal", titlePadding: 8, titleFont: font, labelFont: font,
        labelFontSize: 11, titleFontSize: 12, gridColor: colour("grid"), domainColor: colour("line"), tickColor: colour("line") },
      legend: { labelColor: colour("ink"), titleColor: colour("muted"), titleFontWeight: "normal", labelFont: font, titleFont: font, labelFontSize: 12, labelLimit: 320 },
      text: { color: colour("ink"), font: font, fontSize: 11 },
    };
  }

  function draw(id, chart) {
    const place = document.getElementById(id);
    if (!place) return Promise.resolve();
    const style = getComputedStyle(document.documentElement);
    const specification = coloured(chart, style);
    const raw = "marks" in specification;
    const square = specification.square;
    delete specification.square;
    if (raw) place.classList.add(square ? "square" : "chart");
    // An empty place has no width of its own: that of the figure is its.
    const width = Math.max(200, Math.min(place.parentElement.clientWidth, square ? 544 : 1e9));
    specification.width = width;
    if (raw) specification.height = square ? width + 46 : 360;
    else specification.autosize = { type: "fit-x", contains: "padding" };
    if (!raw && width < 420 && specification.encoding && specification.encoding.color && specification.encoding.color.legend)
      specification.encoding.color.legend.columns = 1;
    if (views.has(id)) views.get(id).finalize();
    place.textContent = "";
    return vegaEmbed(place, specification, {
      mode: raw ? "vega" : "vega-lite", config: dress(style), renderer: "svg", actions: false, defaultStyle: false, tooltip: tooltip,
    }).then((result) => views.set(id, result));
  }

  const bubble = document.createElement("div");
  bubble.setAttribute("style", "position:fixed;display:none;pointer-events:none;z-index:9;background:var(--card);color:var(--ink);border:1px solid var(--line);border-radius:5px;padding:.35rem .6rem;font-size:.8rem;max-width:18rem;");
  document.body.appendChild(bubble);
  function tooltip(handler, event, item, value) {
    if (value === null || value === undefined || value === "") { bubble.style.display = "none"; return; }
    bubble.textContent = "";
    for (const [key, entry] of Object.entries(value)) {
      const line = document.createElement("div");
      line.textContent = key + ": " + entry;
      bubble.appendChild(line);
    }
    bubble.style.display = "block";
    bubble.style.left = Math.min(event.clientX + 12, window.innerWidth - bubble.offsetWidth - 8) + "px";
    bubble.style.top = Math.min(event.clientY + 12, window.innerHeight - bubble.offsetHeight - 8) + "px";
  }

  let drawn = 0;
  async function drawAll() {
    drawn = document.documentElement.clientWidth;
    for (const [id, chart] of Object.entries(charts)) {
      try {
        await draw(id, chart);
      } catch (error) {
        console.error("chart " + id + ": " + error);
      }
    }
    document.documentElement.dataset.charts = "drawn";
  }
  dark.addEventListener("change", drawAll);
  let waiting = 0;
  window.addEventListener("resize", function () {
    clearTimeout(waiting);
    waiting = setTimeout(function () { if (document.documentElement.clientWidth !== drawn) drawAll(); }, 150);
  });
  drawAll();
})();
