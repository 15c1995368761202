"use strict";
(() => {
  const table = document.getElementById("connections");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const texts = new Map();
  const text = (row) => {
    if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
    return texts.get(row);
  };
  const filters = document.getElementById("filters");
  const [words, credential, severity] = ["words", "credential", "severity"].map((id) => document.getElementById(id));
  const shown = document.getElementById("shown");
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const fits =
        (!credential.value || row.dataset.credential === credential.value) &&
        (!severity.value || row.dataset.severity === severity.value) &&
        wanted.every((word) => text(row).includes(word));
      row.hidden = !fits;
      if (fits) count += 1;
    }
    shown.textContent = count + " of " + rows.length + " shown";
  };
  let timer = 0;
  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(filter, 120);
  });
  credential.addEventListener("change", filter);
  severity.addEventListener("change", filter);
  const order = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.v ?? row.cells[column].textContent.trim();
      const keys = new Map(rows.map((row) => [row, key(row)]));
      rows.sort((one, other) => (up ? 1 : -1) * order.compare(keys.get(one), keys.get(other)));
      body.append(...rows);
    });
  });
  filters.hidden = false;
  filter();
  // A link leads to its row also when the filters hide it, and when the page was opened by it.
  const follow = () => {
    const target = document.getElementById(location.hash.slice(1));
    if (target?.hidden) {
      words.value = credential.value = severity.value = "";
      filter();
      target.scrollIntoView();
    }
    if (target instanceof HTMLDetailsElement) target.open = true;
    const inner = target?.querySelector(":scope details");
    if (target?.tagName === "TR" && inner) inner.open = true;
  };
  addEventListener("hashchange", follow);
  follow();
})();
