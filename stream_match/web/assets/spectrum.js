// The spectrum of a clip: time to the right, pitch upwards by octaves, loud is dark.

import { clocked, make } from "./elements.js";

const N_FFT = 2048;
const LOWEST_HZ = 55;
const OCTAVES = 7;
const ROWS = 168; // two dozen an octave
const MOST_COLUMNS = 900;
const RANGE_DB = 70;
const SAMPLE_RATE_HZ = 22050; // of clips; they are decoded as they are

/** A button that becomes the picture of a clip. */
export function spectrum(address) {
  const button = make("button", { type: "button", class: "plain" }, "Show its spectrum");
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      button.replaceWith(picture(await samplesOf(address)));
    } catch {
      button.replaceWith(make("p", { class: "quiet" }, "This clip is not there (any more), or this browser cannot decode it."));
    }
  });
  return button;
}

async function samplesOf(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(String(answer.status));
  const decoder = new OfflineAudioContext(1, 1, SAMPLE_RATE_HZ);
  const audio = await decoder.decodeAudioData(await answer.arrayBuffer());
  return audio.getChannelData(0);
}

function picture(y) {
  const hop = Math.max(256, Math.ceil(y.length / MOST_COLUMNS));
  const columns = Math.max(1, Math.ceil(y.length / hop));
  const levels = Array.from({ length: columns }, (_, column) => bands(y, column * hop - N_FFT / 2));
  const loudest = Math.max(...levels.map((column) => Math.max(...column)));
  const canvas = make("canvas", {
    class: "spectrum", width: columns, height: ROWS, role: "img",
    "aria-label": `Spectrum of ${clocked(y.length / SAMPLE_RATE_HZ)}, from ${LOWEST_HZ} Hz to ${(LOWEST_HZ * 2 ** OCTAVES) / 1000} kHz`,
  });
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, ROWS);
  levels.forEach((column, x) => {
    column.forEach((level, row) => {
      const at = 4 * ((ROWS - 1 - row) * columns + x);
      image.data.set([176, 94, 40], at);
      image.data[at + 3] = 255 * Math.max(0, 1 + (level - loudest) / RANGE_DB) ** 2;
    });
  });
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Levels of the rows, in decibels, of a frame that begins at a sample, which may be before the first. */
function bands(y, begin) {
  const real = new Float32Array(N_FFT);
  const imaginary = new Float32Array(N_FFT);
  for (let n = 0; n < N_FFT; n++) {
    real[n] = (y[begin + n] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * n) / N_FFT));
  }
  transform(real, imaginary);
  return Array.from({ length: ROWS }, (_, row) => {
    const bin = (LOWEST_HZ * 2 ** ((OCTAVES * (row + 0.5)) / ROWS) * N_FFT) / SAMPLE_RATE_HZ;
    const [below, part] = [Math.floor(bin), bin % 1];
    const power = (k) => real[k] ** 2 + imaginary[k] ** 2;
    return 10 * Math.log10((1 - part) * power(below) + part * power(below + 1) + 1e-9);
  });
}

/** The fast Fourier transform, in its place (Cooley and Tukey, 1965). */
function transform(real, imaginary) {
  const size = real.length;
  for (let n = 1, turned = 0; n < size; n++) {
    let bit = size >> 1;
    for (; turned & bit; bit >>= 1) turned ^= bit;
    turned ^= bit;
    if (n < turned) {
      [real[n], real[turned]] = [real[turned], real[n]];
      [imaginary[n], imaginary[turned]] = [imaginary[turned], imaginary[n]];
    }
  }
  for (let length = 2; length <= size; length *= 2) {
    for (let k = 0; k < length / 2; k++) {
      const [cosine, sine] = [Math.cos((2 * Math.PI * k) / length), -Math.sin((2 * Math.PI * k) / length)];
      for (let even = k; even < size; even += length) {
        const odd = even + length / 2;
        const [a, b] = [real[odd] * cosine - imaginary[odd] * sine, real[odd] * sine + imaginary[odd] * cosine];
        [real[odd], imaginary[odd]] = [real[even] - a, imaginary[even] - b];
        [real[even], imaginary[even]] = [real[even] + a, imaginary[even] + b];
      }
    }
  }
}
