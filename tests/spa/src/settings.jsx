// Loaded when it is gone to.

import { useState } from "preact/hooks";

export default function Settings() {
  const [on, set] = useState(false);
  return (
    <section id="settings" data-build={__BUILD__}>
      <h1>Settings</h1>
      <button onClick={() => set(!on)}>{on ? "on" : "off"}</button>
    </section>
  );
}
