// What a reader of a page would notice. Each function runs in the page and returns its findings, none on a good page.

/// Whatever sticks out of the page, and text in charts that is cut off by it.
export function overflowing() {
  const width = document.documentElement.clientWidth;
  const out = [];
  if (document.documentElement.scrollWidth > width) out.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const element of document.querySelectorAll("main *, header *, footer *")) {
    const box = element.getBoundingClientRect();
    if (box.width > 0 && (box.right > width + 0.5 || box.left < -0.5) && !element.closest(".tabs, .contents, .scroll")) {
      out.push(`${element.tagName} "${element.textContent.slice(0, 30)}" ${box.left.toFixed(0)}–${box.right.toFixed(0)}`);
    }
  }
  return out.slice(0, 5);
}

/// Pairs of labels of one chart that lie on each other.
export function overlapping() {
  const out = [];
  for (const chart of document.querySelectorAll(".plot > svg, svg.scale, figure > svg")) {
    const labels = [...chart.querySelectorAll("text")].map((t) => [t.textContent, t.getBoundingClientRect()]);
    for (const [i, [one, a]] of labels.entries()) {
      for (const [other, b] of labels.slice(i + 1)) {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (a.width > 0 && wide > 1 && high > 3) out.push(`${chart.closest("figure").querySelector("h3").textContent}: "${one}" on "${other}"`);
      }
    }
  }
  return out.slice(0, 5);
}

/// Text whose contrast with what lies behind it is below 4.5 (WCAG 2.2, 1.4.3).
export function faint() {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const out = new Set();
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent.trim());
    if (!own || element.closest("title, desc, script, style") || element.getClientRects().length === 0) continue;
    const style = getComputedStyle(element);
    const ink = parse(element instanceof SVGElement ? style.fill : style.color);
    // Shades that let through what lies behind them are laid over it.
    const layers = [];
    for (let behind = element; behind; behind = behind.parentElement) {
      layers.push(parse(getComputedStyle(behind).backgroundColor));
      if (layers.at(-1).a === 1) break;
    }
    const over = (below, layer) => below.map((c, i) => c * (1 - layer.a) + layer.rgb[i] * layer.a);
    const paper = layers.reverse().reduce((below, layer) => over(below, layer), [255, 255, 255]);
    const [a, b] = [light(ink.rgb), light(paper)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) out.add(`${element.className.baseVal ?? element.className} "${element.textContent.slice(0, 20)}" ${contrast.toFixed(2)}`);
  }
  return [...out].slice(0, 5);
}
