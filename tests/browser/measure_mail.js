/* Draws mails, each in a frame of its own, and measures what a reader would stumble over. */
async drawn => {
  const frames = await Promise.all(drawn.map(([name, html, width]) => new Promise(done => {
    const frame = document.createElement("iframe");
    frame.style.cssText = `width:${width}px;height:800px;border:0;display:block`;
    frame.onload = () => done([name, frame, width]);
    frame.srcdoc = html;
    document.body.append(frame);
  })));
  const found = {};
  for (const [name, frame, width] of frames) found[name] = measure(frame.contentDocument, frame.contentWindow, width);
  return JSON.stringify(found);

  function measure(doc, view, width) {
    const style = node => view.getComputedStyle(node);
    const short = text => text.trim().replace(/\s+/g, " ").slice(0, 50);
    const isText = node => node.textContent.replace(/[\s\u00a0\u034f]/g, "") !== "";
    const BLOCKS = "p,h1,h2,h3,li,td,th,caption";
    const texts = [], walker = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const node = walker.currentNode, range = doc.createRange();
      if (!isText(node) || ["STYLE", "SCRIPT"].includes(node.parentElement.tagName)) continue;
      range.selectNodeContents(node);
      const rects = [...range.getClientRects()].filter(rect => rect.width && rect.height);
      if (rects.length) texts.push({ node, rects, own: node.parentElement, block: node.parentElement.closest(BLOCKS) });
    }

    /* A block of text, its lines as high as their line height says. */
    const blocks = new Map();
    for (const { node, rects, own, block } of texts) {
      const height = parseFloat(style(block).lineHeight);
      const box = blocks.get(block) || { top: 1e9, bottom: -1e9, left: 1e9, right: -1e9, text: "" };
      for (const rect of rects) {
        const middle = (rect.top + rect.bottom) / 2;
        box.top = Math.min(box.top, middle - height / 2);
        box.bottom = Math.max(box.bottom, middle + height / 2);
        box.left = Math.min(box.left, rect.left);
        box.right = Math.max(box.right, rect.right);
      }
      box.text += short(node.textContent) + " ";
      box.row = block.closest("tr");
      box.inCell = ["TD", "TH"].includes(block.tagName);
      blocks.set(block, box);
    }
    const ordered = [...blocks.values()], touching = [], astray = [], cramped = [];
    ordered.forEach((box, at) => {
      const next = ordered[at + 1];
      if (!next || (box.inCell && next.inCell && box.row === next.row)) return;
      if (next.top < box.top - 1) astray.push([box.text, next.text]);
      if (next.left < box.right && box.left < next.right && next.top - box.bottom < 2) touching.push([box.text, next.text]);
    });
    const page = doc.querySelector("table.page").getBoundingClientRect();
    for (const box of ordered) {
      if (box.left - page.left < 12 || page.right - box.right < 12 && width < 600) cramped.push(box.text);
    }

    /* Cards and their bars. */
    const barless = [];
    const cards = [...doc.querySelectorAll("td.card")];
    for (const card of cards) {
      const bar = card.previousElementSibling, seen = bar.getBoundingClientRect(), beside = card.getBoundingClientRect();
      const colours = [bar, card, card.closest(".page")].map(node => style(node).backgroundColor);
      const isSeen = seen.width >= 4 && seen.width <= 12 && seen.height >= beside.height - 1;
      if (!isSeen || new Set(colours).size < 3) barless.push(short(card.textContent));
      const first = [...blocks].find(([block]) => card.contains(block));
      if (first && (first[1].left - beside.left < 8 || first[1].top - beside.top < 6)) cramped.push(first[1].text);
    }

    /* Sizes and colours. */
    const tiny = texts.filter(({ own }) => parseFloat(style(own).fontSize) < 14).map(({ node }) => short(node.textContent));
    const numbers = colour => colour.match(/[\d.]+/g).map(Number);
    const light = colour => {
      const [r, g, b] = numbers(colour).map(part => part / 255).map(p => p <= 0.04045 ? p / 12.92 : ((p + 0.055) / 1.055) ** 2.4);
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = node => {
      for (; node; node = node.parentElement) {
        const colour = style(node).backgroundColor, alpha = numbers(colour)[3];
        if (alpha === undefined || alpha > 0) return colour;
      }
      return "rgb(255, 255, 255)";
    };
    const pale = [];
    for (const { node, own } of texts) {
      const [dark, bright] = [light(style(own).color), light(ground(own))].sort((a, b) => a - b);
      if ((bright + 0.05) / (dark + 0.05) < 4.5) pale.push([short(node.textContent), style(own).color, ground(own)]);
    }

    /* Links: each as high as its line, and no other within 24 px of its middle. */
    const missed = [], middles = [];
    for (const link of doc.querySelectorAll("a[href]")) {
      const rect = link.getClientRects()[0];
      const height = Math.max(rect.height, parseFloat(style(link).lineHeight));
      const middle = [(rect.left + rect.right) / 2, (rect.top + rect.bottom) / 2];
      const isNear = middles.some(other => Math.hypot(other[0] - middle[0], other[1] - middle[1]) < 24);
      if (height < 24 || isNear) missed.push(short(link.textContent));
      middles.push(middle);
    }

    const first = doc.querySelector('div[role="article"] > div');
    return {
      touching, astray, cramped, barless, tiny, pale, missed, cards: cards.length, blocks: blocks.size,
      wide: doc.documentElement.scrollWidth > width ? doc.documentElement.scrollWidth : 0,
      shown: first.getBoundingClientRect().height > 0 ? short(first.textContent) : "",
      ground: light(ground(doc.querySelector("table.page"))),
    };
  }
}
