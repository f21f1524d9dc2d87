// The search box runs in a worker, and browsers start no worker for a page that is opened from a
// folder (file://). There the worker's script runs in a hidden frame of the page instead.
if (window.location.protocol === "file:") {
  window.Worker = class FrameWorker extends EventTarget {
    constructor(url) {
      super()
      this.waiting = [] // messages that arrive before the script has been loaded
      const frame = document.createElement("iframe")
      frame.hidden = true
      document.body.append(frame)
      // A document that is written stays; some browsers replace the first one of an empty frame.
      frame.contentDocument.open()
      frame.contentDocument.write("<!doctype html><body>")
      frame.contentDocument.close()
      this.scope = frame.contentWindow
      // The script answers by `postMessage`, as in a worker.
      this.scope.postMessage = (data) => this.receive(data)
      const script = frame.contentDocument.createElement("script")
      script.src = url
      script.onload = () => this.start()
      script.onerror = () => this.dispatchEvent(new Event("error"))
      frame.contentDocument.body.append(script)
    }

    start() {
      const waiting = this.waiting
      this.waiting = null
      waiting.forEach((data) => this.postMessage(data))
    }

    postMessage(data) {
      if (this.waiting) {
        this.waiting.push(data)
      } else {
        this.scope.dispatchEvent(new this.scope.MessageEvent("message", { data }))
      }
    }

    receive(data) {
      const message = new MessageEvent("message", { data })
      this.dispatchEvent(message)
      this.onmessage?.(message)
    }

    terminate() {
      this.scope.frameElement.remove()
    }
  }
}
