// A click on a column header sorts the table: best first if the header has an arrow, ascending otherwise. A second click reverses
// the order.
// Numbers are sorted by their mean ("4.017 ± 0.013"), text alphabetically; "—" (not measured) stays last.
document.querySelectorAll("table").forEach((table) => {
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const text = row.cells[column].textContent.replace(/\u2007/g, "").trim();
    if (text === "—" || text === "") return null;
    const number = text.startsWith("∞") ? Infinity : parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  headers.forEach((header, column) => {
    const label = header.querySelector("span");
    const button = document.createElement("button");
    button.type = "button";
    label.replaceWith(button);
    button.append(label);
    button.addEventListener("click", () => {
      const first = label.textContent.includes("↑") ? "descending" : "ascending";
      const other = { ascending: "descending", descending: "ascending" };
      const order = header.hasAttribute("aria-sort") ? other[header.getAttribute("aria-sort")] : first;
      headers.forEach((each) => each.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", order);
      const keyed = [...body.rows].map((row) => [value(row, column), row]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return order === "ascending" ? compare(a, b) : compare(b, a);
      });
      body.append(...keyed.map(([, row]) => row));
    });
  });
});
// Open all details before printing.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
