// Makes the lists answer questions: filters, search, sorting, pages of rows and a download of what is found.
// Without it each list is on the page whole and nothing else is missing. It asks nothing of any network.
(() => {
  "use strict";
  document.documentElement.classList.add("ready"); // the style keeps most rows of the list back until here

  // A table that fits needs no stop for the keyboard.
  const regions = [...document.querySelectorAll(".scroll")];
  const fit = () => regions.forEach((region) => {
    if (region.scrollWidth > region.clientWidth + 1) region.tabIndex = 0;
    else region.removeAttribute("tabindex");
  });
  setTimeout(fit);
  addEventListener("resize", fit);
  document.addEventListener("toggle", fit, true);

  // A link to what is folded away opens it, in a browser that does not do so by itself.
  const reveal = () => document.getElementById(location.hash.slice(1))?.closest("details")?.setAttribute("open", "");
  addEventListener("hashchange", reveal);
  reveal();

  const SEVERITIES = ["critical", "high", "medium", "low", "data"];
  const RUNS = /^[\s\p{Z}\p{C}]*[=+@\uFF1D\uFF0B\uFF20\uFF0D-]|^[\t\r\n]/u;
  const DOES_NOT_RUN = /^\s*[+-]?([0-9]+([.,][0-9]+)*)?$/;
  const collator = new Intl.Collator("en-GB", { numeric: true, sensitivity: "base" });
  const number = (value) => value.toLocaleString("en-GB");
  const severity = (a, b) => SEVERITIES.indexOf(a.toLowerCase()) - SEVERITIES.indexOf(b.toLowerCase());
  const COMPARE = {
    number: (a, b) => a.replaceAll(",", "") - b.replaceAll(",", ""),
    severity,
    date: (a, b) => (a < b ? -1 : a > b ? 1 : 0),
    several: collator.compare,
    text: collator.compare,
  };
  const SEVERAL = "; ";

  // The form beside a list says which table it is about (data-list), how many rows a page has, and what a row is.
  const answer = (form) => {
    const { list, page: most, one, many } = form.dataset;
    const table = document.getElementById(list);
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    const columns = headings.map((heading) => heading.dataset.column);
    const kinds = headings.map((heading) => heading.dataset.kind);
    const place = (column) => columns.indexOf(column);
    const onDay = (cell) => cell.dataset.on ?? cell.querySelector("time")?.dateTime ?? "";
    const read = (cell, n) => (kinds[n] === "date" ? onDay(cell) : cell.textContent.trim());
    const rows = [...body.rows].map((row, order) => {
      const values = [...row.cells].map(read);
      return { row, order, values, id: values[place("person_id")].toLowerCase() };
    });

    const search = form.querySelector("input[type=search]");
    const shown = form.querySelector("[role=status]");
    const pages = document.getElementById(form.dataset.pages);
    const [back, on] = pages.querySelectorAll("button");
    const whichPage = pages.querySelector("p");
    const download = form.querySelector("[data-name]");
    const choices = [...form.querySelectorAll("select")];
    const section = table.closest("section, details");
    const here = `#${form.dataset.place}`;

    let sorted = rows;
    let found = rows;
    let page = 0;
    let sort = { column: null, down: false };

    const held = (value, n) => (kinds[n] === "several" ? value.split(SEVERAL) : [value]);
    for (const choice of choices) {
      const n = place(choice.name);
      const values = [...new Set(rows.flatMap((each) => held(each.values[n], n)))];
      values.sort(choice.name === "severity" ? severity : collator.compare);
      choice.append(...values.filter(Boolean).map((value) => new Option(value, value)));
      if (values.includes("")) choice.append(new Option(choice.dataset.none, " "));
    }

    const chosen = () => choices.filter((choice) => choice.value).map((choice) => [place(choice.name), choice.value.trim()]);

    const find = () => {
      const wanted = chosen();
      const id = search.value.trim().toLowerCase();
      found = sorted.filter((each) => each.id.includes(id) && wanted.every(([n, value]) => held(each.values[n], n).includes(value)));
      page = 0;
      show();
      remember();
    };

    const show = () => {
      const from = page * most;
      body.replaceChildren(...found.slice(from, from + Number(most)).map((each) => each.row));
      const last = Math.min(from + Number(most), found.length);
      const counted = `${number(found.length)} ${found.length === 1 ? one : many}`;
      const everything = found.length === rows.length;
      shown.textContent = !found.length
        ? `None of the ${number(rows.length)} ${many} match.`
        : `${everything ? `All ${counted}` : `${counted} of ${number(rows.length)} match`}${found.length > most ? `: ${number(from + 1)} to ${number(last)} shown` : ""}.`;
      pages.hidden = found.length <= most;
      back.disabled = page === 0;
      on.disabled = last >= found.length;
      whichPage.textContent = `Page ${number(page + 1)} of ${number(Math.max(1, Math.ceil(found.length / most)))}`;
      if (!download) return;
      download.disabled = !found.length;
      download.textContent = found.length === 1 ? `Download this ${one} (CSV)` : `Download these ${counted} (CSV)`;
    };

    const turn = (by) => {
      page += by;
      show();
      table.closest(".scroll").scrollIntoView({ block: "start" });
      if (back.disabled) on.focus();
      if (on.disabled) back.focus();
    };

    const order = () => {
      const column = place(sort.column);
      const sign = sort.down ? -1 : 1;
      const compare = COMPARE[kinds[column]];
      sorted = [...rows].sort((a, b) => {
        const value = a.values[column], other = b.values[column];
        if (!value || !other) return !value - !other || a.order - b.order; // what is blank comes last, either way
        return sign * compare(value, other) || a.order - b.order;
      });
      headings.forEach((heading, n) => {
        if (n === column) heading.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
        else heading.removeAttribute("aria-sort");
      });
    };

    headings.forEach((heading, n) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => {
        sort = { column: columns[n], down: sort.column === columns[n] && !sort.down };
        order();
        find();
      });
      heading.append(button);
    });

    // The address keeps what was chosen, so that a page can be gone back to; never an id or a name of anybody.
    const KEPT = choices.filter((choice) => choice.name !== "personal_adviser");
    const isHere = () => location.hash.startsWith(`${here}?`);
    const remember = () => {
      const state = new URLSearchParams();
      KEPT.forEach((choice) => choice.value && state.set(choice.name, choice.value));
      if (sort.column) state.set("sort", (sort.down ? "-" : "") + sort.column);
      const hash = state.size ? `${here}?${state}` : isHere() ? here : location.hash;
      if (hash !== location.hash) history.replaceState(null, "", hash || location.pathname);
    };
    const recall = () => {
      if (!isHere()) return false;
      const state = new URLSearchParams(location.hash.slice(here.length + 1));
      KEPT.forEach((choice) => {
        const value = state.get(choice.name) ?? "";
        choice.value = [...choice.options].some((option) => option.value === value) ? value : "";
      });
      const column = (state.get("sort") ?? "").replace(/^-/, "");
      if (columns.includes(column)) {
        sort = { column, down: state.get("sort").startsWith("-") };
        order();
      }
      table.closest("details")?.setAttribute("open", "");
      return true;
    };

    const cell = (value, kind) => {
      if (kind === "number" || kind === "date") return value.replaceAll(",", "");
      if (!value) return "";
      const guard = RUNS.test(value) && !DOES_NOT_RUN.test(value) ? "'" : "";
      return `"${guard}${value.replaceAll("\0", "").replaceAll('"', '""')}"`;
    };
    const write = () => {
      const next = [...document.getElementById("next-steps").tBodies[0].rows];
      const steps = new Map(next.map((row) => [...row.cells].map((each) => each.textContent.trim())));
      const lines = found.map(({ values }) => [
        ...values.map((value, n) => cell(value, kinds[n])),
        cell(steps.get(values[place("title")]) ?? "", "text"),
      ].join(","));
      return `\ufeff${[[...columns, "action"].join(","), ...lines].join("\r\n")}\r\n`;
    };
    download?.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([write()], { type: "text/csv;charset=utf-8" }));
      link.download = download.dataset.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });

    let typing;
    search.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(find, 200);
    });
    form.addEventListener("change", (event) => event.target !== search && find());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      find();
    });
    form.addEventListener("reset", () => {
      sort = { column: null, down: false };
      sorted = rows;
      headings.forEach((heading) => heading.removeAttribute("aria-sort"));
      setTimeout(find);
    });
    back.addEventListener("click", () => turn(-1));
    on.addEventListener("click", () => turn(1));
    addEventListener("beforeprint", () => body.replaceChildren(...found.map((each) => each.row)));
    addEventListener("afterprint", show);
    addEventListener("hashchange", () => recall() && find());

    form.hidden = false;
    const recalled = recall();
    find();
    if (recalled) section.scrollIntoView();
  };
  document.querySelectorAll("form[data-list]").forEach(answer);
})();
