// The shell: what is loaded at once. The pages behind it are loaded when they
// are gone to, so an open page asks for files of its own build long after a
// deploy.

import { render } from "preact";
import { lazy, Suspense } from "preact/compat";
import { Link, Route, Switch } from "wouter-preact";
import logo from "./logo.svg";
import "./main.css";

const Reports = lazy(() => import("./reports.jsx"));
const Settings = lazy(() => import("./settings.jsx"));

function Home() {
  return <h1 id="home">Home</h1>;
}

function Unknown() {
  return <h1 id="unknown">No such page</h1>;
}

function App() {
  return (
    <>
      <nav data-build={__BUILD__}>
        <img src={logo} alt="" width="24" height="24" />
        <Link href="/">Home</Link>
        <Link href="/reports/2026">Reports</Link>
        <Link href="/settings">Settings</Link>
        <small>build {__BUILD__}</small>
      </nav>
      <main>
        <Suspense fallback={<p>Loading…</p>}>
          <Switch>
            <Route path="/" component={Home} />
            <Route path="/reports/:year" component={Reports} />
            <Route path="/settings" component={Settings} />
            <Route component={Unknown} />
          </Switch>
        </Suspense>
      </main>
    </>
  );
}

render(<App />, document.getElementById("app"));
