"use strict";
// The table of rows: searched, filtered, sorted, and drawn only where it shows.
(() => {
  const { columns, rows } = JSON.parse(document.getElementById("rows").textContent);
  const shown = ["row", "username", "outcome", "reason", "attempts", "duration_ms", "finished_at", "error_code"].map(c => columns.indexOf(c));
  const widths = ["5rem", "16rem", "8rem", "12rem", "6rem", "8rem", "15rem", ""];
  const numeric = new Set(["row", "attempts", "duration_ms"]);
  const classes = { failed: "bad", invalid: "bad", unknown: "doubt", not_attempted: "doubt" };
  const outcomeAt = columns.indexOf("outcome"), reasonAt = columns.indexOf("reason");
  const height = 28, spare = 20;
  const get = id => document.getElementById(id);
  const box = get("table"), table = box.firstElementChild, head = table.tHead.rows[0], body = table.tBodies[0];
  const search = get("search"), outcome = get("outcome"), reason = get("reason");
  const count = n => n.toLocaleString("en-US");
  let texts = null; // of the rows in lower case, made when first searched
  let found = rows, sortedBy = -1, descending = false, drawn = "";

  const make = (name, text) => {
    const element = document.createElement(name);
    if (text !== undefined) element.textContent = text === null ? "" : text;
    return element;
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
    if (words && !texts) texts = rows.map(row => row.join("\n").toLowerCase());
    found = rows.filter((row, i) =>
      (!o || row[outcomeAt] === o) && (!r || row[reasonAt] === r) && (!words || texts[i].includes(words)));
    sort();
    get("matches").textContent = count(found.length) + " of " + count(rows.length) + " rows";
    table.setAttribute("aria-rowcount", found.length + 1);
    box.scrollTop = 0;
    draw(true);
  };

  const spacer = rowsOf => {
    const tr = make("tr");
    tr.setAttribute("aria-hidden", "true");
    tr.style.height = rowsOf * height + "px";
    return tr;
  };

  const draw = force => {
    const from = Math.max(0, Math.floor(box.scrollTop / height) - spare);
    const to = Math.min(found.length, Math.ceil((box.scrollTop + box.clientHeight) / height) + spare);
    if (!force && drawn === from + "-" + to) return;
    drawn = from + "-" + to;
    const part = [];
    if (from > 0) part.push(spacer(from));
    for (let i = from; i < to; i++) {
      const tr = make("tr");
      tr.setAttribute("aria-rowindex", i + 2);
      for (const c of shown) {
        const td = make("td");
        if (c === 0) {
          const button = make("button", found[i][c]);
          button.type = "button";
          button.setAttribute("aria-label", "row " + found[i][c] + ", show all of it");
          td.append(button);
        } else {
          td.append(make("bdi", found[i][c]));
        }
        if (numeric.has(columns[c])) td.className = "number";
        if (c === outcomeAt) td.className = classes[found[i][c]] || "good";
        if (found[i][c] === "skipped") td.className = "";
        tr.append(td);
      }
      tr.addEventListener("click", () => show(found[i]));
      part.push(tr);
    }
    if (to < found.length) part.push(spacer(found.length - to));
    body.replaceChildren(...part);
  };

  // show tells all of one row below the table.
  const show = row => {
    const list = [];
    columns.forEach((name, c) => {
      if (row[c] !== "" && row[c] !== null && row[c] !== undefined) list.push(make("dt", name), make("dd", row[c]));
    });
    get("row").replaceChildren(...list);
  };

  shown.forEach((c, i) => {
    const th = make("th"), button = make("button", columns[c]);
    th.scope = "col";
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
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 80); });
  outcome.addEventListener("change", filter);
  reason.addEventListener("change", filter);
  get("filter").addEventListener("submit", e => { e.preventDefault(); filter(); });
  box.addEventListener("scroll", () => requestAnimationFrame(() => draw(false)), { passive: true });
  addEventListener("resize", () => draw(true));
  get("filter").hidden = box.hidden = false;
  filter();
})();
