// Makes the team's page answer: filters, rows that open and close, answers to choose, and a file or an e-mail of them.
// Without it every row is open and nothing else is missing. It asks nothing of any network and keeps nothing.
(() => {
  "use strict";
  const LONGEST_MAIL = 2000; // letters of an address that every mail program takes
  const BY_MAIL = ["done", "not ours", "the record is wrong"];
  const SEVERITIES = ["critical", "high", "medium", "low", "data"];
  const id = (name) => document.getElementById(name);
  const count = (number, one, many) => `${number.toLocaleString("en-GB")} ${number === 1 ? one : many}`;
  const root = document.documentElement;

  // Rows: closed at first, opened one by one or all at once.
  const rows = [...document.querySelectorAll(".person")].map((row) => ({
    row,
    details: row.querySelector("details"),
    adviser: row.dataset.adviser,
    way: row.dataset.ways.split("|").filter(Boolean),
    severity: row.dataset.severities.split("|"),
  }));
  document.querySelectorAll("details").forEach((each) => { each.open = false; });
  root.classList.add("ready");

  // Filters.
  const form = id("filters"), shown = id("shown");
  const choices = [...form.querySelectorAll("select")];
  const [byAdviser, byWay, bySeverity] = choices;
  const collator = new Intl.Collator("en-GB", { numeric: true, sensitivity: "base" });
  const offer = (choice, values) => choice.append(...values.map(([value, words]) => new Option(words, value)));
  const distinct = (lists) => [...new Set(lists.flat())];
  offer(byAdviser, distinct(rows.map((each) => [each.adviser])).filter(Boolean).sort(collator.compare).map((name) => [`=${name}`, name]));
  if (rows.some((each) => !each.adviser)) offer(byAdviser, [["=", "No adviser"]]);
  offer(byWay, [["any", "Out of sight in any way"], ...distinct(rows.map((each) => each.way)).sort(collator.compare).map((way) => [`=${way}`, way]), ["none", "Not out of sight"]]);
  offer(bySeverity, SEVERITIES.filter((each) => rows.some((row) => row.severity.includes(each))).map((each) => [each, each[0].toUpperCase() + each.slice(1)]));
  const fits = (each) =>
    (!byAdviser.value || byAdviser.value === `=${each.adviser}`) &&
    (!byWay.value || (byWay.value === "any" ? each.way.length : byWay.value === "none" ? !each.way.length : each.way.includes(byWay.value.slice(1)))) &&
    (!bySeverity.value || each.severity.includes(bySeverity.value));
  const filter = () => {
    const found = rows.filter((each) => (each.row.hidden = !fits(each)) === false).length;
    shown.textContent = found === rows.length
      ? `All ${count(found, "young person", "young people")} shown.`
      : `${count(found, "young person", "young people")} of ${rows.length.toLocaleString("en-GB")} shown.`;
  };
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  id("open-all").addEventListener("click", () => rows.forEach((each) => { if (!each.row.hidden) each.details.open = true; }));
  id("close-all").addEventListener("click", () => rows.forEach((each) => { each.details.open = false; }));
  const choose = id("choose");
  choose.hidden = false;
  choose.open = innerWidth >= 768; // on a phone the young people come first
  filter();

  // Answers: the choices stand beside each flag from when its row is first opened.
  const section = id("answering");
  if (!section) return;
  const blank = id("answer-form").content;
  const answered = id("answered"), faults = id("faults"), save = id("save"), mail = id("mail");
  const forms = new Map();
  let saved = true;
  const ask = (flag) => {
    if (forms.has(flag) || !flag.dataset.key) return;
    const part = blank.cloneNode(true).firstElementChild;
    const title = flag.querySelector("h3").firstChild.textContent.trim();
    part.querySelectorAll("label").forEach((label) => {
      const field = label.nextElementSibling;
      field.id = `${field.className}-${flag.dataset.flag}`;
      label.htmlFor = field.id;
      field.setAttribute("aria-label", `${label.textContent}: ${flag.dataset.person}, ${title}`);
    });
    flag.append(part);
    const field = (name) => part.querySelector(`.${name}`);
    forms.set(flag, { flag, title, choice: field("choice"), until: field("until"), reason: field("reason"), note: field("note"), part });
  };
  const read = () => [...forms.values()].filter((each) => each.choice.value).map((each) => {
    const waives = each.choice.value === "waive until";
    return {
      form: each,
      written: {
        person_id: each.flag.dataset.person,
        rule: each.flag.dataset.rule,
        key: each.flag.dataset.key,
        answer: each.choice.value,
        answer_until: waives ? each.until.value : "",
        answer_reason: waives ? each.reason.value : "",
        answer_note: each.note.value.trim(),
      },
    };
  });
  const say = () => {
    const number = read().length;
    answered.textContent = number
      ? `${count(number, "flag", "flags")} answered${saved ? "; the file is saved. Send it back." : ", not saved yet."}`
      : "No flag is answered yet.";
    save.disabled = !number;
    if (mail) mail.disabled = !number;
  };
  const begin = (details) => {
    if (details.dataset.asked || !details.closest(".person")) return;
    details.dataset.asked = "yes";
    details.querySelectorAll(".flag").forEach(ask);
    const back = document.createElement("p");
    back.className = "screen";
    back.innerHTML = '<a href="#answering">Back to “Save my answers”</a>';
    details.querySelector(".inside").append(back);
  };
  document.addEventListener("click", (event) => {
    const summary = event.target.closest("summary"); // at once, so that the next key finds the choices
    if (summary) begin(summary.parentElement);
  });
  document.addEventListener("toggle", (event) => {
    if (event.target.open) begin(event.target);
  }, true);
  document.addEventListener("input", (event) => {
    const part = event.target.closest(".answer");
    if (!part) return;
    const word = part.querySelector(".choice").value;
    part.querySelectorAll(".when-waived").forEach((each) => { each.hidden = word !== "waive until"; });
    part.querySelector(".when-answered").hidden = !word;
    saved = false;
    say();
  });

  const lacks = ({ form, written }) => {
    const waives = written.answer === "waive until";
    if (waives && !written.answer_until) return [form.until, "give the last day"];
    if (waives && !written.answer_reason) return [form.reason, "choose a reason"];
    if ((waives || written.answer === "the record is wrong") && !written.answer_note) {
      return [form.note, waives ? "say in a note what was agreed" : "say in a note what is wrong, and what would be right"];
    }
    return null;
  };
  const warn = (heading, lines) => {
    const list = document.createElement("ul");
    list.append(...lines.map(([words, field]) => {
      const line = document.createElement("li");
      const link = document.createElement(field ? "a" : "span");
      link.textContent = words;
      if (field) {
        link.href = `#${field.id}`;
        link.addEventListener("click", (event) => {
          event.preventDefault();
          const row = field.closest(".person");
          row.hidden = false;
          row.querySelector("details").open = true;
          field.focus();
        });
      }
      line.append(link);
      return line;
    }));
    const title = document.createElement("p");
    title.textContent = heading;
    faults.replaceChildren(title, list);
    faults.hidden = false;
    faults.focus();
  };
  const check = () => {
    const given = read();
    const wanting = given.map((each) => [each, lacks(each)]).filter(([, lack]) => lack);
    faults.hidden = !wanting.length;
    if (wanting.length) {
      warn(`Nothing is saved yet. ${count(wanting.length, "answer lacks", "answers lack")} something:`, wanting.map(([each, [field, words]]) =>
        [`${each.written.person_id}, ${each.form.title}: ${words}`, field]));
    }
    return wanting.length ? null : given;
  };
  save.addEventListener("click", () => {
    const given = check();
    if (!given) return;
    const file = {
      made_by: "care-leaver monitor, team's page",
      version: 1,
      list: save.dataset.list,
      as_at: save.dataset.asAt,
      answers: given.map((each) => each.written),
    };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(file, null, 1)}\n`], { type: "application/json" }));
    link.download = save.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    saved = true;
    say();
  });
  if (mail) {
    mail.addEventListener("click", () => {
      const given = check();
      if (!given) return;
      const others = given.filter((each) => !BY_MAIL.includes(each.written.answer));
      if (others.length) {
        warn("An e-mail cannot hold a waiver. Use “Save my answers”, and send the file.", others.map((each) =>
          [`${each.written.person_id}, ${each.form.title}: ${each.written.answer}`, each.form.choice]));
        return;
      }
      const body = given.map((each) => `${each.written.answer}: ${each.written.key}`).join("\r\n");
      const address = `mailto:${encodeURIComponent(mail.dataset.to).replaceAll("%40", "@")}?subject=${encodeURIComponent(mail.dataset.subject)}&body=${encodeURIComponent(`${body}\r\n`)}`;
      if (address.length > LONGEST_MAIL) {
        warn("That is too much for one e-mail. Use “Save my answers”, and send the file.", []);
        return;
      }
      const link = document.createElement("a");
      link.href = address;
      link.click();
    });
  }
  addEventListener("beforeunload", (event) => {
    if (!saved && read().length) event.preventDefault();
  });
  section.hidden = false;
  say();
})();
