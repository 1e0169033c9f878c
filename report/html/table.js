"use strict";
// The table of rows: searched, filtered, sorted, saved, and drawn only where it shows.
(() => {
  const { columns, rows } = JSON.parse(document.getElementById("rows").textContent);
  const own = 13; // columns before those of the input that are kept
  const headings = {
    row: "Row", username: "Username", outcome: "Outcome", reason: "Reason", attempts: "Calls", duration_ms: "Took, ms",
    finished_at: "Finished", error_code: "Error", error_message: "Cognito's words", steps: "Steps", settled_by: "Known by",
    request_id: "Request id", sub: "Sub",
  };
  const heading = name => headings[name] || name;
  const names = ["outcome", "reason", "username", "row", "attempts", "duration_ms", "finished_at", "error_code"];
  const shown = names.map(c => columns.indexOf(c));
  const widths = ["7.5rem", "11.5rem", "", "5rem", "4rem", "5.5rem", "11rem", "14rem"];
  const numeric = new Set(["row", "attempts", "duration_ms"]);
  const classes = { failed: "bad", invalid: "bad", unknown: "doubt", not_attempted: "doubt", skipped: "" };
  const outcomeAt = columns.indexOf("outcome"), reasonAt = columns.indexOf("reason"), usernameAt = columns.indexOf("username"), rowAt = columns.indexOf("row");
  const spare = 20;
  const get = id => document.getElementById(id);
  const box = get("table"), table = box.firstElementChild, head = table.tHead.rows[0], body = table.tBodies[0];
  const search = get("search"), outcome = get("outcome"), reason = get("reason"), detail = get("row");
  const narrow = matchMedia("(max-width: 40rem)");
  const count = n => n.toLocaleString("en-US");
  let texts = null; // of the rows in lower case, made when first searched
  let found = rows, sortedBy = -1, descending = false, drawn = "", chosen = null;

  const make = (name, text) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text === null ? "" : text;
    return element;
  };

  // Each column of the input that is kept has a field to filter it by.
  const kept = columns.slice(own).map((name, i) => {
    const label = make("label", name + " "), field = make("input");
    field.type = "search";
    field.autocomplete = "off";
    label.append(field);
    get("save").before(label);
    return { field, at: own + i, key: "column " + name };
  });
  const fields = [[search, "search"], [outcome, "outcome"], [reason, "reason"], ...kept.map(k => [k.field, k.key])];

  // The address says what is filtered, so that it can be passed on.
  const readAddress = () => {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const [field, key] of fields) field.value = asked.get(key) || "";
  };
  const writeAddress = () => {
    const asked = new URLSearchParams();
    for (const [field, key] of fields) if (field.value) asked.set(key, field.value);
    history.replaceState(null, "", "#" + asked);
  };

  // Sorting keeps the order of what is equal.
  const sort = () => {
    if (sortedBy < 0) return;
    const direction = descending ? -1 : 1;
    found = found.slice().sort((x, y) => {
      const a = x[sortedBy], b = y[sortedBy];
      return a === b ? 0 : direction * (a === null || a < b && b !== null ? -1 : 1);
    });
  };

  const filter = () => {
    const words = search.value.toLowerCase(), o = outcome.value, r = reason.value;
    const only = kept.filter(k => k.field.value).map(k => [k.at, k.field.value.toLowerCase()]);
    if (words && !texts) texts = rows.map(row => row.join("\n").toLowerCase());
    found = rows.filter((row, i) =>
      (!o || row[outcomeAt] === o) && (!r || row[reasonAt] === r) && (!words || texts[i].includes(words)) &&
      only.every(([at, text]) => String(row[at]).toLowerCase().includes(text)));
    sort();
    get("matches").textContent = count(found.length) + " of " + count(rows.length) + " rows";
    get("empty").hidden = found.length > 0;
    for (const tile of document.querySelectorAll(".tiles button")) {
      tile.setAttribute("aria-pressed", Boolean(o) && tile.dataset.outcome === o);
    }
    table.setAttribute("aria-rowcount", found.length + 1);
    box.scrollTop = 0;
    writeAddress();
    draw(true);
  };

  const spacer = high => {
    const tr = make("tr");
    tr.setAttribute("aria-hidden", "true");
    tr.className = "spacer";
    tr.style.height = high + "px";
    return tr;
  };

  const draw = force => {
    const height = narrow.matches ? 52 : 28; // of a row, as page.css has it
    const from = Math.max(0, Math.floor(box.scrollTop / height) - spare);
    const to = Math.min(found.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + spare);
    if (!force && drawn === from + "-" + to) return;
    drawn = from + "-" + to;
    const part = [];
    if (from > 0) part.push(spacer(from * height));
    for (let i = from; i < to; i++) {
      const row = found[i], tr = make("tr");
      tr.setAttribute("aria-rowindex", i + 2);
      if (row === chosen) tr.setAttribute("aria-current", "true");
      for (const c of shown) {
        const td = make("td");
        td.className = "c-" + columns[c];
        if (c === usernameAt) {
          const button = make("button");
          button.append(make("bdi", row[c] === "" ? "(none)" : row[c]));
          button.type = "button";
          td.append(button);
        } else {
          td.append(make("bdi", columns[c] === "finished_at" ? row[c].slice(0, 19).replace("T", " ") : row[c]));
        }
        if (numeric.has(columns[c])) td.classList.add("number");
        const tone = c === outcomeAt ? row[c] in classes ? classes[row[c]] : "good" : "";
        if (tone) td.classList.add(tone);
        tr.append(td);
      }
      tr.addEventListener("click", () => choose(row));
      part.push(tr);
    }
    if (to < found.length) part.push(spacer((found.length - to) * height));
    const focused = body.contains(document.activeElement) ? document.activeElement.closest("tr").getAttribute("aria-rowindex") : null;
    body.replaceChildren(...part);
    if (focused) body.querySelector("tr[aria-rowindex='" + focused + "'] button")?.focus({ preventScroll: true });
  };

  // choose tells all of one row beside the table.
  const choose = row => {
    chosen = row;
    const list = make("dl");
    columns.forEach((name, c) => {
      if (row[c] !== "" && row[c] !== null && row[c] !== undefined) list.append(make("dt", heading(name)), make("dd", row[c]));
    });
    detail.replaceChildren(list);
    detail.hidden = false;
    draw(true);
  };

  // save makes a file of the rows that are found, as report.csv has them.
  const save = () => {
    const cell = value => {
      const text = value === null || value === undefined ? "" : String(value);
      return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
    };
    const lines = [columns, ...found].map(row => columns.map((_, c) => cell(row[c])).join(",") + "\r\n");
    const link = make("a");
    link.href = URL.createObjectURL(new Blob(lines, { type: "text/csv" }));
    link.download = "filtered.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };

  // What is printed are the rows that need attention, as many as a reader may leaf through.
  const most = 200;
  const print = () => {
    const open = rows.filter(row => ["failed", "invalid", "unknown", "not_attempted"].includes(row[outcomeAt]));
    const list = make("table"), at = [rowAt, usernameAt, outcomeAt, reasonAt];
    list.className = "plain";
    const top = list.createTHead().insertRow();
    for (const c of at) top.append(make("th", heading(columns[c])));
    const lines = list.createTBody();
    for (const row of open.slice(0, most)) {
      const line = lines.insertRow();
      for (const c of at) line.append(make("td", row[c]));
    }
    const rest = make("p", open.length > most ? count(open.length - most) + " more rows that need attention, and all others, are in report.csv." : "All other rows are in report.csv.");
    get("printed").replaceChildren(make("h3", "Rows that need attention: " + count(open.length)), list, rest);
  };

  shown.forEach((c, i) => {
    const th = make("th"), button = make("button", heading(columns[c]));
    th.scope = "col";
    th.className = "c-" + columns[c];
    th.style.width = widths[i];
    th.setAttribute("aria-sort", "none");
    button.type = "button";
    button.addEventListener("click", () => {
      descending = sortedBy === c && !descending;
      sortedBy = c;
      for (const other of head.cells) other.setAttribute("aria-sort", "none");
      th.setAttribute("aria-sort", descending ? "descending" : "ascending");
      filter();
    });
    th.append(button);
    head.append(th);
  });
  let waiting = 0;
  for (const [field] of fields) {
    field.addEventListener(field.type === "search" ? "input" : "change", () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });
  }
  for (const tile of document.querySelectorAll(".tiles button")) {
    tile.disabled = false;
    tile.addEventListener("click", () => { outcome.value = outcome.value === tile.dataset.outcome ? "" : tile.dataset.outcome; filter(); });
  }
  get("filter").addEventListener("submit", e => { e.preventDefault(); filter(); });
  get("save").addEventListener("click", save);
  box.addEventListener("scroll", () => requestAnimationFrame(() => draw(false)), { passive: true });
  addEventListener("resize", () => draw(true));
  addEventListener("beforeprint", print);
  addEventListener("hashchange", () => { readAddress(); filter(); });
  get("filter").hidden = box.hidden = false;
  readAddress();
  filter();
})();
