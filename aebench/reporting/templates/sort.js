// A click on a column head sorts the table: best first if the head has an arrow, ascending otherwise; a second click reverses.
// Numbers are sorted by their mean ("4.017 ± 0.013"), text alphabetically; "—" (not measured) stays last.
document.querySelectorAll("table").forEach((table) => {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const text = row.cells[column].textContent.replace(/\u2007/g, "").trim();
    if (text === "—" || text === "") return null;
    const number = text.startsWith("∞") ? Infinity : parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  heads.forEach((head, column) => {
    const label = head.querySelector("span");
    const button = document.createElement("button");
    button.type = "button";
    label.replaceWith(button);
    button.append(label);
    button.addEventListener("click", () => {
      const first = label.textContent.includes("↑") ? "descending" : "ascending";
      const other = { ascending: "descending", descending: "ascending" };
      const order = head.hasAttribute("aria-sort") ? other[head.getAttribute("aria-sort")] : first;
      heads.forEach((each) => each.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const keyed = [...body.rows].map((row) => [value(row, column), row]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return order === "ascending" ? compare(a, b) : compare(b, a);
      });
      body.append(...keyed.map(([, row]) => row));
    });
  });
});
// Nothing can be unfolded on paper.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => (each.open = true)));
