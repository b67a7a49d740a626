"""A web service without a line about metrics: opentelemetry-instrument brings them."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/basket")
async def basket() -> dict[str, int]:
    return {"items": 3}
