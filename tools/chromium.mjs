// Unpack the Chromium that npm brought (@sparticuz/chromium) into a folder of ours, with the system libraries and
// fonts it carries, so that tests drive a real browser on a machine where nothing was installed.
//   node tools/chromium.mjs .cache/chromium
// Prints one JSON document: {"executable", "libraries", "args"}.
import { mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const target = resolve(process.argv[2]);
mkdirSync(target, { recursive: true });
process.env.TMPDIR = target; // where the package unpacks to
const { default: chromium, inflate } = await import("@sparticuz/chromium");
const bin = join(dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium"))), "..", "bin");
const files = ["chromium.br", "swiftshader.tar.br", "al2023.tar.br"];
const [executable, , libraries] = await Promise.all(files.map((name) => inflate(join(bin, name))));
// Left out: one process for everything (crashes with several contexts), and whatever switches the page's own
// security off, because that is among the things under test.
const unwanted = /^--(single-process|headless|disable-web-security|allow-running-insecure-content|use-|enable-unsafe|in-process-gpu)/;
const args = chromium.args.filter((one) => !unwanted.test(one));
console.log(JSON.stringify({ executable, libraries: join(libraries, "lib"), args }));
