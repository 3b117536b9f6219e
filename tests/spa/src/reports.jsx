// Loaded when it is gone to, with a style of its own.

import { useRoute } from "wouter-preact";
import "./reports.css";

const MONTHS = ["January", "February", "March", "April", "May", "June"];

export default function Reports() {
  const [, { year }] = useRoute("/reports/:year");
  return (
    <section id="reports" data-build={__BUILD__}>
      <h1>Reports of {year}</h1>
      <table>
        {MONTHS.map((month, at) => (
          <tr key={month}>
            <td>{month}</td>
            <td>{(at + 1) * 1700}</td>
          </tr>
        ))}
      </table>
    </section>
  );
}
