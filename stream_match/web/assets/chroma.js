// Rolling chroma as a picture that moves: time goes to the left, the twelve pitch classes upwards from C.

const COLUMNS = 1024;
const SHOWN_S = 24;
const DELAY_S = 0.7; // pieces come a few times a second: behind them the picture moves smoothly

// Fifths are neighbours on the wheel of colours, as they are in harmony.
const COLOURS = Array.from({ length: 12 }, (_, pitch) => rgb(((pitch * 7) % 12) * 30 + 20));

function rgb(hue) {
  const channel = (shift) => {
    const place = (shift + hue / 30) % 12;
    return Math.round(255 * (0.56 - 0.34 * Math.max(-1, Math.min(place - 3, 9 - place, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

export class ChromaPicture {
  #canvas;
  #tape = document.createElement("canvas");
  #count = 0;
  #anchor = null; // when column 0 was heard [s]
  #frame_s = 0.05;
  #now;
  #still = matchMedia("(prefers-reduced-motion: reduce)");
  #drawn = 0;

  constructor(canvas, now) {
    this.#canvas = canvas;
    this.#now = now;
    this.#tape.width = COLUMNS;
    this.#tape.height = 12;
    const step = () => {
      if (!canvas.isConnected) return;
      this.#draw();
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  hear(piece) {
    const values = Uint8Array.from(atob(piece.frames), (letter) => letter.charCodeAt(0));
    const frames = values.length / 12;
    if (!frames) return;
    this.#frame_s = piece.frame_s;
    const begin = piece.time - (this.#count + frames - 1) * piece.frame_s;
    const late = this.#anchor === null ? Infinity : begin - this.#anchor;
    if (Math.abs(late) > 1) this.#jump(late, begin);
    else this.#anchor += 0.05 * late; // blocks are uneven: the mean is when it was heard
    const context = this.#tape.getContext("2d");
    for (let frame = 0; frame < frames; frame++) {
      const column = context.createImageData(1, 12);
      for (let pitch = 0; pitch < 12; pitch++) {
        const at = 4 * (11 - pitch);
        const value = values[12 * frame + pitch] / 255;
        column.data.set(COLOURS[pitch], at);
        column.data[at + 3] = 255 * value ** 1.4;
      }
      context.putImageData(column, (this.#count + frame) % COLUMNS, 0);
    }
    this.#count += frames;
  }

  #jump(late, begin) {
    const columns = Math.min(COLUMNS, Math.max(0, Math.round(late / this.#frame_s)));
    if (this.#anchor === null || !Number.isFinite(late) || late < 0 || columns === COLUMNS) {
      this.#tape.getContext("2d").clearRect(0, 0, COLUMNS, 12);
      this.#anchor = begin;
      return;
    }
    const context = this.#tape.getContext("2d");
    for (let column = 0; column < columns; column++) context.clearRect((this.#count + column) % COLUMNS, 0, 1, 12);
    this.#count += columns; // nothing was heard meanwhile
  }

  #draw() {
    const now = this.#now() / 1000;
    if (this.#anchor === null || (this.#still.matches && now - this.#drawn < 1)) return;
    this.#drawn = now;
    const canvas = this.#canvas;
    const [width, height] = [canvas.clientWidth * devicePixelRatio, canvas.clientHeight * devicePixelRatio];
    if (canvas.width !== Math.round(width) || canvas.height !== Math.round(height)) {
      canvas.width = Math.round(width);
      canvas.height = Math.round(height);
    }
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, canvas.width, canvas.height);
    const right = (now - DELAY_S - this.#anchor) / this.#frame_s;
    const shown = SHOWN_S / this.#frame_s;
    const scale = canvas.width / shown;
    for (let at = Math.floor(right - shown); at < right; ) {
      const column = ((at % COLUMNS) + COLUMNS) % COLUMNS;
      const many = Math.min(COLUMNS - column, Math.ceil(right) - at);
      if (at >= this.#count || many <= 0) break;
      const until = Math.min(at + many, this.#count);
      if (at >= 0 && at >= this.#count - COLUMNS) {
        context.drawImage(
          this.#tape, column, 0, until - at, 12,
          (at - (right - shown)) * scale, 0, (until - at) * scale + 1, canvas.height,
        );
      }
      at += at < 0 ? Math.min(many, -at) : many;
    }
  }
}
