// Load the WebAssembly library of LiteRT.js. This module stands in for
// @litertjs/wasm-utils, which does not check the files against their hashes.

const script = document.querySelector("script[data-integrity]");
const integrity = JSON.parse(script.dataset.integrity);

function run(url, name) {
  const script = document.createElement("script");
  Object.assign(script, {src: url, crossOrigin: "anonymous", integrity: integrity[name]});
  return new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error",
      () => reject(new Error(`${name} is missing, or differs from the tested file`)));
    document.body.append(script);
  });
}

export async function createWasmLib(Library, url) {
  const name = url.split("/").pop();
  const binary = name.replace(/\.js$/, ".wasm");
  await run(url, name);
  const answer = await fetch(new URL(binary, url), {integrity: integrity[binary]});
  if (!answer.ok) throw new Error(`${binary} is missing`);
  const wasmBinary = await answer.arrayBuffer();
  const module = await self.ModuleFactory({...self.Module, wasmBinary});
  self.ModuleFactory = self.Module = undefined;
  return new Library(module);
}
