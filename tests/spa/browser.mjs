// The browser of the tests.

import { createHash, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import puppeteer from "puppeteer-core";

/**
 * Starts the browser `chromium`, which takes `address` for every host, since no name is looked up,
 * and trusts the key of `certificate`. With a certificate that is merely tolerated, it would cache
 * nothing.
 */
export function launch({ chromium, address, certificate }) {
  const { publicKey } = new X509Certificate(readFileSync(certificate));
  const key = publicKey.export({ type: "spki", format: "der" });
  const pin = createHash("sha256").update(key).digest("base64");
  return puppeteer.launch({
    executablePath: chromium,
    timeout: 30_000,
    args: [
      `--host-resolver-rules=MAP * ${address}`,
      `--ignore-certificate-errors-spki-list=${pin}`,
      "--disable-dev-shm-usage",
      ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ],
  });
}
