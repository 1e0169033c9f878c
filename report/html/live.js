"use strict";
// The page of a run that works: each piece that has changed comes as an event, and takes
// the place of the one before. After a lost connection all of them come anew.
(() => {
  const main = document.querySelector("main"), connection = document.getElementById("connection");
  const known = connection.textContent;
  const events = new EventSource("events");
  events.onopen = () => { connection.textContent = known; };
  events.onerror = () => {
    connection.textContent = "The connection to the run is lost: what you see stood so at "
      + new Date().toLocaleTimeString() + ". This page tries again by itself.";
  };
  events.onmessage = event => {
    const piece = JSON.parse(event.data), holder = document.createElement("template");
    holder.innerHTML = piece.html;
    const fresh = holder.content.firstElementChild, old = document.getElementById(piece.id);
    if (!old) return main.append(fresh);
    const open = [...old.querySelectorAll("details")].map(d => d.open);
    [...fresh.querySelectorAll("details")].forEach((d, i) => { d.open = Boolean(open[i]); });
    old.replaceWith(fresh);
  };
  events.addEventListener("end", () => {
    events.close();
    connection.textContent = "The run has ended. Its record has the report, row by row.";
  });
})();
